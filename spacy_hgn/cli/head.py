"""``spacy hgn head``: a component without its Hero, to attach to other pipelines."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option
from wasabi import msg

from spacy_hgn.heads import take_head

from . import hgn_cli
from .pipelines import Code, Pipeline, ending_at, load_pipeline

Output = Argument(help="New or empty folder for the head", file_okay=False)
Component = Option("--component", "--name", help="Name of the component, if there are several")


@hgn_cli.command("head")
def head_cli(
    pipeline: Annotated[str, Pipeline],
    output: Annotated[Path, Output],
    component: Annotated[str | None, Component] = None,
    code: Annotated[Path | None, Code] = None,
) -> None:
    """Take a component that was trained over a frozen Hero out of its pipeline.

    The folder holds a pipeline with the component alone, of a few megabytes. Make a package of it
    with spacy package, or add it to a pipeline with the same Hero: spacy_hgn.attach(nlp, FOLDER).
    """
    with ending_at("Can't take the head", ValueError, OSError):
        if output.exists() and any(output.iterdir()):
            raise ValueError(f"Expected a new or empty folder, but {output} isn't empty.")
        head = take_head(load_pipeline(pipeline, code), component)
        output.mkdir(parents=True, exist_ok=True)
        head.to_disk(output)
        size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
        msg.good(f"Head {head.pipe_names[0]} written to {output} ({size / 1e6:.1f} MB)")
