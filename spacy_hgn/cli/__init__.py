"""The command line: ``python -m spacy hgn ...``, one file a subcommand."""

from spacy.cli._util import app
from typer import Typer

hgn_cli = Typer(name="hgn", help="Hero-Gang Neural model: corpora, experiments, speed.", no_args_is_help=True)
app.add_typer(hgn_cli)

from . import benchmark, calibrate, convert, experiment, stats  # noqa: E402, F401
