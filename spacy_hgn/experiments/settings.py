"""A run's config: the grid's overrides, and steps counted from epochs."""

from math import ceil
from pathlib import Path
from typing import Any

from spacy.util import load_config
from thinc.api import Config

from .grid import Run

WARMUP = 0.1
"""Part of all steps."""


def count_steps(run: Run, sentences: int) -> int:
    """Updates in all epochs.

    sentences: those that it trains on.
    """
    return run.epochs * ceil(sentences / run.batch)


def build_config(run: Run, path: Path, sentences: int) -> Config:
    """The config file with a run's settings.

    Raises OSError if there's no file, and ConfigValidationError for an override of a section
    that it doesn't have.
    """
    steps = count_steps(run, sentences)
    counted = {
        "training.max_steps": steps,
        "training.eval_frequency": steps // run.epochs,
        "training.batcher.size": run.batch,
        "vars.warmup_steps": round(WARMUP * steps),
        "system.seed": run.seed,
    }
    return load_config(path, overrides={**counted, **run.overrides}, interpolate=False)


def flatten(config: Config) -> dict[str, Any]:
    """What decides about a training, in dotted form: [components] and [training], all
    variables filled in."""
    filled = config.interpolate()
    found: dict[str, Any] = {}
    for section in ("components", "training"):
        _flatten(filled[section], section, found)
    return found


def _flatten(value: Any, name: str, found: dict[str, Any]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}", found)
    else:
        found[name] = value
