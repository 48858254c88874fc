"""``spacy hgn contribution``: how much the Gang contributes."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

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
    read_gold,
    write_json,
)

Gold = Argument(help=".spacy file or folder, such as dev", exists=True)
Json = Option("--json", "-j", help="JSON file for the result", dir_okay=False)


@hgn_cli.command("contribution")
def contribution_cli(
    pipeline: Annotated[str, Pipeline],
    gold: Annotated[Path, Gold],
    component: Annotated[str, Component] = "hgn_ner",
    json: Annotated[Path | None, Json] = None,
    gpu_id: Annotated[int, Gpu] = -1,
    code: Annotated[Path | None, Code] = None,
) -> None:
    """Measure how much a pipeline's windows contribute, compared to its Hero.

    The share is the norm of what the windows add to a token's vector, divided by the norm of that
    vector. The second F1 is with the windows silenced, that is, replaced by zeros: the loss shows
    how much the trained pipeline relies on them. A pipeline trained without windows may have a
    higher F1 than a silenced one. If the share is below 1 %, a warning recommends what to do.
    """
    with ending_at("Can't measure the contribution", ValueError, OSError):
        nlp = load_pipeline(pipeline, code, gpu_id)
        from spacy_hgn.explain.contribution import measure_contribution

        find_component(nlp, component)
        examples = read_gold(gold, nlp)
        found = measure_contribution(
            nlp, lambda: nlp.evaluate(examples)["ents_f"] or 0.0, component
        )
        if found is None:
            msg.info(f"{component} has no windows: it uses the Hero alone.")
        else:
            msg.table(
                {
                    "share of the windows": f"{found.share:.1%}",
                    "F1": f"{100 * found.f1:.2f}",
                    "F1, windows silenced": f"{100 * found.silenced:.2f}",
                }
            )
            if found.warning:
                msg.warn(found.warning)
        if json is not None:
            content = {"contribution": None if found is None else asdict(found)}
            write_json(json, {"pipeline": pipeline, **content})
