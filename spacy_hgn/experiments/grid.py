"""A grid: the runs in a grid file, with their configs."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

from spacy.util import dict_to_dot, load_config
from thinc.api import Config

from ..training.recipes import Recipe, RecipeError, fit_to_hero, read_recipe
from .grid_file import (
    AXES,
    PROTOCOLS,
    CorpusSource,
    GridError,
    GridFile,
    Overrides,
    ReportSettings,
    Where,
    read_grid_file,
)

KEYS = {"training.batcher.size": "batch", "vars.recipe": "recipe", "training.max_steps": "epochs"}
"""Settings with their own key in a grid."""

FREE = ("paths", "system", "vars")
"""Sections of the config with unchecked names."""

WARMUP = 0.1
"""The share of all steps."""

IN_TOKENS = "spacy-hgn.batch_by_sequence.v1"
IN_SENTENCES = {"@batchers": "spacy.batch_by_sequence.v1", "get_length": None}
"""A grid counts steps in batches with a fixed number of sentences of any length."""


@dataclass(frozen=True)
class GridRun:
    """One training: a point of the grid, with its settings."""

    corpus: str
    hero: str
    system: str
    seed: int
    protocol: str
    epochs: int
    batch: int
    overrides: Overrides
    source: CorpusSource

    @property
    def id(self) -> str:
        """Its point in the grid and a digest of its settings: other settings are another run."""
        settings = [self.epochs, self.batch, self.overrides, self.source.for_digest]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode("utf8")).hexdigest()
        return f"{self.name}-{digest[:8]}"

    @property
    def name(self) -> str:
        """Its point in the grid."""
        return f"{self.corpus}-{self.hero}-{self.system}-{self.protocol}-{self.seed}"

    @property
    def training_parts(self) -> tuple[str, ...]:
        """The parts of its corpus that it trains on."""
        if self.protocol == "paper":
            return self.source.paper_trains_on
        return PROTOCOLS[self.protocol].training_parts

    def describe(self) -> dict[str, Any]:
        """Its id and settings, for its record."""
        settings = {key: value for key, value in asdict(self).items() if key != "source"}
        return {
            "id": self.id,
            **settings,
            "trained_on": list(self.training_parts),
            "train_share": self.source.train_share,
        }


@dataclass(frozen=True)
class Grid:
    """The content of a grid file."""

    path: Path
    config: Path
    runs: list[GridRun]
    report: ReportSettings

    @property
    def name(self) -> str:
        """The name of its folder in ``results/``."""
        return self.path.stem


def read_grid(path: Path) -> Grid:
    """Read a grid file.

    Raises GridError if it isn't there or isn't as it should be.
    """
    content = read_grid_file(path)
    return Grid(path, content.config, list(_make_runs(path, content)), content.report)


def filter_runs(runs: Sequence[GridRun], only: Sequence[str]) -> list[GridRun]:
    """The runs that match the conditions.

    only: conditions such as "corpus=wnut17,system=base". If a key has several values, any of them
    matches.

    Raises GridError for an invalid condition, or one that matches no run.
    """
    wanted: dict[str, set[str]] = {}
    for condition in (part for text in only for part in text.split(",")):
        axis, sign, value = condition.partition("=")
        if axis not in AXES or not sign:
            known = ", ".join(sorted(AXES))
            raise GridError(
                f"Expected conditions such as corpus=wnut17, of {known}; got {condition!r}."
            )
        wanted.setdefault(axis, set()).add(value)
        there = {str(getattr(run, axis)) for run in runs}
        if value not in there:
            raise GridError(f"No run has {condition}: the grid has {', '.join(sorted(there))}.")
    return [
        run for run in runs if all(str(getattr(run, a)) in values for a, values in wanted.items())
    ]


def count_steps(run: GridRun, sentences: int) -> int:
    """The number of updates in all epochs.

    sentences: the number to train on.
    """
    return run.epochs * ceil(sentences / run.batch)


def build_config(run: GridRun, path: Path, sentences: int) -> Config:
    """The config with a run's settings, and its epochs converted into steps.

    Raises OSError if the file doesn't exist, ConfigValidationError for an override of an unknown
    section, and GridError for an override of an unknown variable.
    """
    steps = count_steps(run, sentences)
    counted = {
        "training.max_steps": steps,
        "training.eval_frequency": steps // run.epochs,
        "training.batcher.size": run.batch,
        "vars.warmup_steps": round(WARMUP * steps),
        "system.seed": run.seed,
    }
    _check_variables(run, path)
    config = load_config(path, overrides={**counted, **run.overrides}, interpolate=False)
    fit_to_hero(config)
    if config["training"]["batcher"]["@batchers"] == IN_TOKENS:
        config["training"]["batcher"] = {**IN_SENTENCES, "size": run.batch}
    return config


def flatten(config: Config) -> dict[str, Any]:
    """The sections of a config that influence a training, [components] and [training], in dotted
    form with all variables filled in."""
    filled = config.interpolate()
    return dict_to_dot({section: filled[section] for section in ("components", "training")})


def _check_variables(run: GridRun, path: Path) -> None:
    """Raise GridError for a misspelt variable, which would silently be ignored."""
    config = load_config(path, interpolate=False)
    there = {f"{section}.{name}" for section in FREE for name in config.get(section, {})}
    for name in run.overrides:
        if name.partition(".")[0] in FREE and name not in there:
            expected = ", ".join(sorted(there))
            raise GridError(f"{path}: expected overrides of {expected}, got one of {name}.")


def _make_runs(path: Path, content: GridFile) -> Iterator[GridRun]:
    """All systems with one seed, then with the next, so that comparisons are possible early."""
    order = ("protocol", "corpus", "hero", "seed", "system")
    seen: set[tuple[Any, ...]] = set()
    for group in content.groups:
        axes = [getattr(group, AXES[axis]) or list(getattr(content, AXES[axis])) for axis in order]
        for values in product(*axes):
            if values not in seen:
                seen.add(values)
                point = dict(zip(order, values))
                source = content.corpora[point["corpus"]]
                yield GridRun(**point, **_settings(path, content, point), source=source)


def _settings(path: Path, content: GridFile, point: dict[str, Any]) -> dict[str, Any]:
    """Epochs, batch and overrides of a point. More specific settings override the recipe and
    general ones."""
    hero = content.heroes[point["hero"]]
    exceptions = [entry for entry in content.where if entry.fits(point)]
    recipe: Recipe | None = None
    found: dict[str, Any] = {"epochs": None, "batch": 32}
    entries: list[GridFile | Where] = [content, *exceptions]
    for entry in entries:
        if entry.recipe is not None:
            recipe = read_recipe(entry.recipe)
            found |= {"epochs": recipe.epochs, "batch": recipe.batch}
        found |= {key: value for key in found if (value := getattr(entry, key)) is not None}
    given = {**content.overrides, "vars.hero": hero.name, **hero.overrides}
    given |= content.systems[point["system"]]
    for entry in exceptions:
        given |= entry.overrides
    place = f"{path}: {', '.join(map(str, point.values()))}"
    for name in given.keys() & KEYS:
        raise GridError(f"{place}: set {name} with the grid's key {KEYS[name]} instead.")
    if recipe is None:
        return {**found, "overrides": given}
    given |= {"vars.recipe": recipe.name, "training.batcher.size": found["batch"]}
    try:
        return {**found, "overrides": recipe.with_settings(given)}
    except RecipeError as error:
        raise GridError(f"{place}: {error}") from error
