"""The command line: ``python -m spacy hgn ...``, one file a subcommand."""

from spacy.cli._util import app
from typer import Typer

from ..util.codecs import find_codecs_once
from .spacys_commands import draw_all_entities, look_before_training, train_in_ranks

hgn_cli = Typer(
    name="hgn", help="Named entities with the Hero-Gang Neural model.", no_args_is_help=True
)
app.add_typer(hgn_cli)
find_codecs_once()
train_in_ranks(app)
look_before_training(app)
draw_all_entities()
init_cli = Typer(name="init", help="Write a config.", no_args_is_help=True)
debug_cli = Typer(name="debug", help="Look for what is wrong.", no_args_is_help=True)
hgn_cli.add_typer(init_cli)
hgn_cli.add_typer(debug_cli)

from . import (  # noqa: E402, F401
    annotate,
    benchmark,
    calibrate,
    contribution,
    convert,
    debug_data,
    experiment,
    explain,
    head,
    init_config,
    stats,
)
