"""``spacy hgn contribution``: how much the Gang says."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import srsly
from spacy.cli._util import import_code
from typer import Argument, Option
from wasabi import msg

from . import hgn_cli
from .pipelines import (
    Code,
    Component,
    Gpu,
    Pipeline,
    choose_device,
    ending_at,
    find_component,
    load_pipeline,
    read_gold,
    write_text,
)

Gold = Argument(help=".spacy file, or folder of them, such as dev", exists=True)
Json = Option("--json", "-j", help="JSON file for what is measured", dir_okay=False)


@hgn_cli.command("contribution")
def contribution_cli(
    pipeline: Annotated[str, Pipeline],
    gold: Annotated[Path, Gold],
    component: Annotated[str, Component] = "hgn_ner",
    json: Annotated[Path | None, Json] = None,
    gpu_id: Annotated[int, Gpu] = -1,
    code: Annotated[Path | None, Code] = None,
) -> None:
    """Tell how much a pipeline's windows say beside its Hero.

    The share is the norm of what the windows bring to a token's vector over the norm of that
    vector. Of F1, the second one is with the windows silenced, vectors of zeros in their place:
    what is lost is what the trained pipeline takes from them. A pipeline trained without windows
    may do better than a silenced one. Where the share is nothing, a warning says what to do.
    """
    with ending_at("Can't measure the contribution", ValueError, OSError):
        import_code(code)
        choose_device(gpu_id)
        nlp = load_pipeline(pipeline)
        from spacy_hgn.explain.contribution import measure_contribution

        find_component(nlp, component)
        examples = read_gold(gold, nlp)
        found = measure_contribution(
            nlp, lambda: nlp.evaluate(examples)["ents_f"] or 0.0, component
        )
        if found is None:
            msg.info(f"{component} has no windows: the Hero decides alone.")
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
            write_text(json, srsly.json_dumps({"pipeline": pipeline, **content}, indent=2))
