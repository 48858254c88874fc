"""A run's config: the grid's overrides, and steps counted from epochs."""

from math import ceil
from pathlib import Path
from typing import Any

from spacy.util import load_config
from thinc.api import Config

from ..training.recipes import fit_to_hero
from .errors import GridError
from .grid import Run

FREE = ("paths", "system", "vars")
"""Sections of the config whose names nothing checks."""

WARMUP = 0.1
"""Part of all steps."""


def count_steps(run: Run, sentences: int) -> int:
    """Updates in all epochs.

    sentences: those that it trains on.
    """
    return run.epochs * ceil(sentences / run.batch)


def build_config(run: Run, path: Path, sentences: int) -> Config:
    """The config file with a run's settings.

    Raises OSError if there's no file, ConfigValidationError for an override of a section that it
    doesn't have, and GridError for one of a variable that it doesn't have.
    """
    _check_variables(run, path)
    steps = count_steps(run, sentences)
    counted = {
        "training.max_steps": steps,
        "training.eval_frequency": steps // run.epochs,
        "training.batcher.size": run.batch,
        "vars.warmup_steps": round(WARMUP * steps),
        "system.seed": run.seed,
    }
    config = load_config(path, overrides={**counted, **run.overrides}, interpolate=False)
    fit_to_hero(config)
    return config


def _check_variables(run: Run, path: Path) -> None:
    """A misspelt variable would be passed over in silence."""
    config = load_config(path, interpolate=False)
    there = {f"{section}.{name}" for section in FREE for name in config.get(section, {})}
    for name in run.overrides:
        if name.startswith(tuple(f"{section}." for section in FREE)) and name not in there:
            expected = ", ".join(sorted(there))
            raise GridError(f"{path}: expected overrides of {expected}, got one of {name}.")


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
