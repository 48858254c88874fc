"""``spacy hgn calibrate``: calibrated scores of entities."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option
from wasabi import msg
from wasabi.util import locale_escape

from spacy_hgn.entities.calibration import Bin, expected_calibration_error, reliability
from spacy_hgn.entities.reliability_diagram import draw_reliability

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
    write_text,
)

if TYPE_CHECKING:
    from spacy_hgn.entities.scored_docs import ScoredDocs
    from spacy_hgn.hgn_ner import HgnNer

Dev = Argument(help=".spacy file or folder to fit to; not used in training", exists=True)
Test = Option("--test", "-t", help=".spacy file or folder to measure on too", exists=True)
Output = Option("--output", "-o", help="Folder for the calibrated pipeline", file_okay=False)
Json = Option("--json", "-j", help="JSON file for all results", dir_okay=False)
Diagram = Option("--diagram", help="SVG file for the reliability diagram", dir_okay=False)
Force = Option("--force", "-F", help="Overwrite an existing pipeline")


@hgn_cli.command("calibrate")
def calibrate_cli(
    pipeline: Annotated[str, Pipeline],
    dev: Annotated[Path, Dev],
    test: Annotated[Path | None, Test] = None,
    component: Annotated[str, Component] = "hgn_ner",
    output: Annotated[Path | None, Output] = None,
    json: Annotated[Path | None, Json] = None,
    diagram: Annotated[Path | None, Diagram] = None,
    force: Annotated[bool, Force] = False,
    gpu_id: Annotated[int, Gpu] = -1,
    code: Annotated[Path | None, Code] = None,
) -> None:
    """Calibrate a pipeline's scores with a temperature, and show the calibration error.

    The temperature is the one with the smallest log loss: the scores then fit best which of the
    predicted entities in DEV are right. It is stored with the component in the pipeline at
    --output. It changes scores but not entities, except for those that the setting threshold drops.

    The temperature stays 1, which changes nothing, and a warning says why, if DEV has fewer than
    50 entities, if the best temperature is at the bound of the search, or if the error on DEV
    would increase.

    The expected calibration error is the mean distance between the score of entities and the
    share of correct ones, over ten bins of scores. It is shown before and after. The diagram is
    for --test if given, otherwise for DEV.
    """
    with ending_at("Can't calibrate", ValueError, OSError):
        if output is not None and not force and output.exists() and any(output.iterdir()):
            raise ValueError(f"{output} already exists. --force overwrites it.")
        nlp = load_pipeline(pipeline, code, gpu_id)
        parts = {"dev": dev, **({"test": test} if test else {})}
        report = calibrate_pipeline(nlp, component, parts)
        show(report)
        if json is not None:
            write_json(json, {"pipeline": pipeline, **report})
        if diagram is not None:
            shown = report["parts"][[*parts][-1]]
            curves = {time: [Bin(**b) for b in shown[time]["bins"]] for time in ("before", "after")}
            write_text(diagram, draw_reliability(curves))
        if output is not None:
            nlp.to_disk(output)
            msg.good(f"Calibrated pipeline written to {output}")


def calibrate_pipeline(nlp: Any, name: str, parts: Mapping[str, Path]) -> dict[str, Any]:
    """Fit the temperature to the part "dev", and measure scores on all parts.

    Raises ValueError if the component isn't an ``hgn_ner``, if a part can't be read, or if "dev"
    has no entities.
    """
    from spacy_hgn.entities.scored_docs import calibrate, score_docs

    component = find_component(nlp, name)
    scored = {part: score_docs(nlp, name, partial(read_gold, path)) for part, path in parts.items()}
    before = component.temperature
    reason = calibrate(component, scored["dev"])
    temperatures = {"before": before, "after": component.temperature}
    return {
        "component": name,
        "temperature": temperatures,
        "not_calibrated": reason,
        "parts": {
            part: {"path": str(parts[part]), **measure_calibration(component, texts, temperatures)}
            for part, texts in scored.items()
        },
    }


def measure_calibration(
    component: "HgnNer", texts: Sequence["ScoredDocs"], temperatures: Mapping[str, float]
) -> dict[str, Any]:
    """The calibration of the entities' scores at several temperatures, by their names."""
    from spacy_hgn.entities.scored_docs import scores_of

    found: dict[str, Any] = {}
    for name, temperature in temperatures.items():
        scores, is_right = scores_of(component, texts, temperature)
        bins = reliability(scores, is_right)
        found["entities"], found["right"] = len(scores), sum(is_right)
        found[name] = {
            "ece": expected_calibration_error(bins),
            "score": sum(scores) / max(len(scores), 1),
            "bins": list(map(asdict, bins)),
        }
    return found


def show(report: Mapping[str, Any]) -> None:
    """Print the temperature and the errors."""
    before, after = report["temperature"]["before"], report["temperature"]["after"]
    msg.info(f"Temperature of {report['component']}: {after:.3f} (before: {before:.3f})")
    if report["not_calibrated"] is not None:
        msg.warn("Not calibrated, the temperature is 1")
        print(locale_escape(report["not_calibrated"]))
    rows = [
        (
            part,
            f"{measured['entities']:,}",
            f"{measured['right'] / max(measured['entities'], 1):.3f}",
            *(f"{measured[time]['score']:.3f}" for time in ("before", "after")),
            *(f"{measured[time]['ece']:.4f}" for time in ("before", "after")),
        )
        for part, measured in report["parts"].items()
    ]
    header = ("", "entities", "right", "mean score", "after", "ECE", "after")
    msg.table(rows, header=header, divider=True, aligns=("l", *"rrrrrr"))
