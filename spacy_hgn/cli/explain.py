"""``spacy hgn explain``: a page that explains the entities of a text."""

import os.path
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from spacy.language import Language
from typer import Argument, Option
from wasabi import msg

from . import hgn_cli
from .pipelines import (
    Code,
    Component,
    Gpu,
    Pipeline,
    ending_at,
    find_component,
    load_pipeline,
    write_text,
)

if TYPE_CHECKING:
    from spacy_hgn.explain.explanation import Explanation

Text = Argument(help="A text, or a text file in UTF-8")
Output = Option("--output", "-o", help="HTML file to write", dir_okay=False)
Json = Option("--json", "-j", help="JSON file with all values and tags", dir_okay=False)


@hgn_cli.command("explain")
def explain_cli(
    pipeline: Annotated[str, Pipeline],
    text: Annotated[str, Text],
    output: Annotated[Path, Output] = Path("explanation.html"),
    json: Annotated[Path | None, Json] = None,
    component: Annotated[str, Component] = "hgn_ner",
    gpu_id: Annotated[int, Gpu] = -1,
    code: Annotated[Path | None, Code] = None,
) -> None:
    """Explain the entities of a text on one HTML page, which works offline.

    The page shows the entities with their scores; the attention weights of each window and of the
    Hero, as a heat map over the text (concat and add have no weights); the tags of each token; the
    share of each layer of a frozen Hero; and the score of each entity with a boundary moved by one
    token.
    """
    with ending_at("Can't explain", ValueError, OSError, KeyError):
        nlp = load_pipeline(pipeline, code, gpu_id)
        explanation = explain_text(nlp, component, read_text(text))
        if explanation.weights is None:
            msg.info(explanation.note)
        write_text(output, to_page(explanation, pipeline))
        if json is not None:
            write_text(json, explanation.to_json(indent=1))


def read_text(text: str) -> str:
    """The text of the file of that name, or else the text itself."""
    if os.path.isfile(text):
        return Path(text).read_text(encoding="utf-8-sig")
    if not any(map(str.isspace, text)):
        msg.info(f"There is no file {text}: using it as the text")
    return text


def explain_text(nlp: Language, name: str, text: str) -> "Explanation":
    """Run the components before the given one, then explain the text.

    Raises ValueError if the component isn't an hgn_ner, or is disabled.
    """
    component = find_component(nlp, name)
    before = nlp(text, disable=nlp.pipe_names[nlp.pipe_names.index(name) :])
    return component.explain(before)


def to_page(explanation: "Explanation", pipeline: str) -> str:
    """The page of an explanation."""
    from spacy_hgn.explain.page import render_page

    return render_page(explanation, f"What {Path(pipeline).name} sees")
