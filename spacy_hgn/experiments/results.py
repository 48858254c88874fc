"""Results of a grid: the seeds of each system, and differences from a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from ..util.environment import describe_software
from .grid import Grid, GridRun, build_config, flatten
from .grid_file import GridError
from .plan import TRAINING, find_changes
from .records import Record, Records
from .scores import p_value


@dataclass(frozen=True)
class Cell:
    """The results of one system with one corpus and Hero: one record per seed.

    folder: the name of the corpus's folder in assets.
    """

    protocol: str
    corpus: str
    hero: str
    system: str
    folder: str
    records: list[Record]

    @property
    def point(self) -> tuple[str, ...]:
        """Its point in the grid."""
        return self.protocol, self.corpus, self.hero, self.system

    def scores(self, name: str = "f") -> list[float]:
        """One score per seed."""
        return [scores(record)[name] for record in self.records]

    def file(self, suffix: str) -> str:
        """The name of a file for all systems with this corpus and Hero."""
        return f"{self.protocol}-{self.corpus}-{self.hero}.{suffix}"


@dataclass(frozen=True)
class Difference:
    """The difference of two systems' F1. by_seed: for each seed that both have. p: the p-value."""

    by_seed: list[float]
    p: float

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return mean(self.by_seed)


class Results:
    """The recorded results of a grid's present runs."""

    def __init__(self, grid: Grid, records: Records) -> None:
        """Raises GridError if there is no result."""
        self.grid = grid
        self.records = records
        self.recorded = records.read()
        self.done = [run for run in grid.runs if run.id in self.recorded]
        self.baseline = grid.report.baseline
        if not self.done:
            raise GridError(
                f"{records.runs}: no result of {grid.path} yet. Run it first: "
                f"python -m spacy hgn experiment run {grid.path}"
            )
        self.cells = self._group()

    def choose(self, **point: str) -> list[Cell]:
        """The cells in a part of the grid, such as corpus="wnut17", in the grid's order."""
        return [
            cell
            for cell in self.cells
            if all(getattr(cell, axis) == value for axis, value in point.items())
        ]

    def names(self, axis: str, **point: str) -> list[str]:
        """The corpora, Heroes, systems or protocols with results, in order."""
        return list(dict.fromkeys(getattr(cell, axis) for cell in self.choose(**point)))

    @cached_property
    def by_hero(self) -> list[list[Cell]]:
        """The cells grouped by protocol, corpus and Hero."""
        points = dict.fromkeys(cell.point[:3] for cell in self.cells)
        return [[cell for cell in self.cells if cell.point[:3] == point] for point in points]

    @cached_property
    def differences(self) -> dict[tuple[str, ...], Difference]:
        """Differences from the baseline, by a cell's point, if there is a baseline."""
        found = {cell.point: self._compare(cell) for cell in self.cells}
        return {point: difference for point, difference in found.items() if difference}

    @cached_property
    def stale(self) -> dict[str, list[str]]:
        """The reasons for stale results, by the run's id: changes of the config, this code or
        releases. ``experiment run`` also checks the corpus and the precision.

        Raises the errors of ``build_config``.
        """
        found = {run.id: self._find_changes(run, self.recorded[run.id]) for run in self.done}
        return {run_id: changes for run_id, changes in found.items() if changes}

    def _find_changes(self, run: GridRun, record: Record) -> list[str]:
        sentences = sum(record["sentences"][part] for part in run.training_parts)
        config = flatten(build_config(run, self.grid.config, sentences))
        now = {"config": config, "training": TRAINING, "software": describe_software()}
        return find_changes(record, now)

    def _compare(self, cell: Cell) -> Difference | None:
        protocol, corpus, hero, system = cell.point
        others = self.choose(protocol=protocol, corpus=corpus, hero=hero, system=self.baseline)
        if system == self.baseline or not others:
            return None
        of_baseline = {_seed(record): record for record in others[0].records}
        ones = [record for record in cell.records if _seed(record) in of_baseline]
        if not ones:
            return None
        others_too = [of_baseline[_seed(record)] for record in ones]
        read = self.records.read_predictions
        return Difference(
            by_seed=[scores(x)["f"] - scores(y)["f"] for x, y in zip(ones, others_too)],
            p=p_value(
                self.records.read_gold(ones[0]),
                [read(record) for record in ones],
                [read(record) for record in others_too],
            ),
        )

    def _group(self) -> list[Cell]:
        """The cells, in the order of the grid file."""
        cells: dict[tuple[str, ...], Cell] = {}
        for run in self.done:
            point = (run.protocol, run.corpus, run.hero, run.system)
            folder = Path(run.source.source).name
            cell = cells.setdefault(point, Cell(*point, folder=folder, records=[]))
            cell.records.append(self.recorded[run.id])
        return list(cells.values())


def scores(record: Record) -> dict[str, Any]:
    """The scores on test, or on dev if the run didn't read test."""
    return record["test"] or record["dev"]


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation over seeds, if there are several."""
    return stdev(values) if len(values) > 1 else None


def write_mean(values: Sequence[float]) -> str:
    """The mean, with the standard deviation for several seeds; empty without values."""
    if not values:
        return ""
    deviation = spread(values)
    return f"{mean(values):.2f}" + (f" ± {deviation:.2f}" if deviation is not None else "")


def _seed(record: Record) -> tuple[int, str]:
    """Two records can be compared if these are the same: seed and corpus."""
    return record["seed"], record["corpus_digest"]
