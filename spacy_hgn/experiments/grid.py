"""A grid: the runs that a grid file describes, each with its settings."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from ..training.recipes import Recipe, RecipeError, read_recipe
from .errors import GridError
from .grid_file import AXES, CorpusSource, GridFile, Settings, Where, read_grid_file
from .protocols import PROTOCOLS

KEYS = {"training.batcher.size": "batch", "vars.recipe": "recipe", "training.max_steps": "epochs"}
"""Settings that a grid has keys of its own for."""


@dataclass(frozen=True)
class Run:
    """One training: a point of the grid, and its settings."""

    corpus: str
    hero: str
    system: str
    seed: int
    protocol: str
    epochs: int
    batch: int
    overrides: Settings
    source: CorpusSource

    @property
    def id(self) -> str:
        """Its point in the grid, then a digest of its settings: others are another run."""
        settings = [self.epochs, self.batch, self.overrides, self.source.settings]
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
        """Its id and settings, as its record has them."""
        settings = {key: value for key, value in asdict(self).items() if key != "source"}
        return {
            "id": self.id,
            **settings,
            "trained_on": list(self.training_parts),
            "train_share": self.source.train_share,
        }


@dataclass(frozen=True)
class Grid:
    """What a grid file describes. report: those of its settings that it has."""

    path: Path
    config: Path
    runs: list[Run]
    report: Settings = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its folder under ``results/``."""
        return self.path.stem


def read_grid(path: Path) -> Grid:
    """Read a grid file.

    Raises GridError if it isn't there or isn't as it should be.
    """
    content = read_grid_file(path)
    return Grid(
        path=path,
        config=content.config,
        runs=list(_make_runs(path, content)),
        report=content.report.model_dump(exclude_none=True),
    )


def filter_runs(runs: Sequence[Run], only: Sequence[str]) -> list[Run]:
    """Those runs that the conditions fit.

    only: conditions like "corpus=wnut17,system=base". The same word with several values means
    any of them.

    Raises GridError for what isn't such a condition, or fits no run.
    """
    wanted: dict[str, set[str]] = {}
    for condition in (part for text in only for part in text.split(",")):
        axis, sign, value = condition.partition("=")
        if axis not in AXES or not sign:
            raise GridError(
                f"Expected conditions like corpus=wnut17, of {_words(AXES)}; got {condition!r}."
            )
        wanted.setdefault(axis, set()).add(value)
        if not any(str(getattr(run, axis)) == value for run in runs):
            there = {str(getattr(run, axis)) for run in runs}
            raise GridError(f"No run has {condition}: the grid has {_words(there)}.")
    return [
        run for run in runs if all(str(getattr(run, a)) in values for a, values in wanted.items())
    ]


def _make_runs(path: Path, content: GridFile) -> Iterator[Run]:
    """All systems with one seed, then with the next: comparisons come early."""
    order = ("protocol", "corpus", "hero", "seed", "system")
    seen: set[tuple[Any, ...]] = set()
    for group in content.groups:
        axes = [getattr(group, AXES[axis]) or list(getattr(content, AXES[axis])) for axis in order]
        for values in product(*axes):
            if values in seen:
                continue
            seen.add(values)
            point = dict(zip(order, values))
            source = content.corpora[point["corpus"]]
            yield Run(**point, **_settings(path, content, point), source=source)


def _settings(path: Path, content: GridFile, point: Settings) -> Settings:
    """Epochs, batch and overrides of a point: the recipe's and general ones first, then more
    special ones."""
    hero = content.heroes[point["hero"]]
    exceptions = [entry for entry in content.where if entry.fits(point)]
    recipe: Recipe | None = None
    layers = [
        content.overrides,
        {"vars.hero": hero.name, **hero.overrides},
        content.systems[point["system"]],
        *(entry.overrides for entry in exceptions),
    ]
    found: Settings = {"epochs": None, "batch": 32}
    entries: list[GridFile | Where] = [content, *exceptions]
    for entry in entries:
        if entry.recipe is not None:
            recipe = read_recipe(entry.recipe)
            found |= {"epochs": recipe.epochs, "batch": recipe.batch}
        found |= {key: value for key in found if (value := getattr(entry, key)) is not None}
    given = {name: value for layer in layers for name, value in layer.items()}
    place = ", ".join(map(str, point.values()))
    for name, key in KEYS.items():
        if name in given:
            raise GridError(f"{path}: {place}: override {name} by the grid's key {key}.")
    if recipe is None:
        return {**found, "overrides": given}
    given |= {"vars.recipe": recipe.name, "training.batcher.size": found["batch"]}
    try:
        return {**found, "overrides": recipe.with_settings(given)}
    except RecipeError as error:
        raise GridError(f"{path}: {place}: {error}") from error


def _words(names: Any) -> str:
    return ", ".join(sorted(map(str, names)))
