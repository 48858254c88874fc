"""A grid's results put together: the seeds of each system, and systems against Base."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from .errors import GridError
from .grid import Grid
from .significance import p_value
from .store import Record, Store

BASELINE = "base"


@dataclass(frozen=True)
class Cell:
    """What one system made of one corpus with one Hero: a record a seed.

    folder: of the corpus in assets, by its name.
    """

    protocol: str
    corpus: str
    hero: str
    system: str
    folder: str
    records: list[Record]

    def values(self, get: Callable[[dict[str, Any]], float]) -> list[float]:
        """A number of each seed's scores."""
        return [get(scores(record)) for record in self.records]

    @property
    def point(self) -> tuple[str, ...]:
        """Where it is in the grid."""
        return self.protocol, self.corpus, self.hero, self.system

    @property
    def f1(self) -> list[float]:
        """Of each seed."""
        return self.values(lambda found: found["f"])


@dataclass(frozen=True)
class Difference:
    """Of a system's F1 from another's. by_seed: of each seed that both have. p: of its being
    luck."""

    by_seed: list[float]
    p: float

    @property
    def mean(self) -> float:
        """Over seeds."""
        return mean(self.by_seed)


class Results:
    """What a grid's store holds for the runs that the grid has now."""

    def __init__(self, grid: Grid, store: Store) -> None:
        """Raises GridError if there's no result, or the report's settings don't fit the grid."""
        self.grid = grid
        self.store = store
        self.recorded = store.read()
        self.done = [run for run in grid.runs if run.id in self.recorded]
        if not self.done:
            raise GridError(
                f"{store.runs}: no result of {grid.path} yet. Run it first: "
                f"python -m spacy hgn experiment run {grid.path}"
            )
        self.cells = self._group()

    @property
    def baseline(self) -> str:
        """The system that others are compared with."""
        return str(self.grid.report.get("baseline", BASELINE))

    def choose(self, **point: str) -> list[Cell]:
        """Cells at a part of the grid, such as corpus="wnut17", in the grid's order."""
        return [
            cell
            for cell in self.cells
            if all(getattr(cell, axis) == value for axis, value in point.items())
        ]

    def names(self, axis: str, **point: str) -> list[str]:
        """The corpora, Heroes, systems or protocols that there are results of, in order."""
        return list(dict.fromkeys(getattr(cell, axis) for cell in self.choose(**point)))

    @cached_property
    def differences(self) -> dict[tuple[str, ...], Difference]:
        """From the baseline, by a cell's point; not of those that lack a baseline."""
        found = {cell.point: self._compare(cell) for cell in self.cells}
        return {point: difference for point, difference in found.items() if difference}

    def _compare(self, cell: Cell) -> Difference | None:
        others = self.choose(
            protocol=cell.protocol, corpus=cell.corpus, hero=cell.hero, system=self.baseline
        )
        if cell.system == self.baseline or not others:
            return None
        pairs = _pair(cell.records, others[0].records)
        if not pairs:
            return None
        return Difference(
            by_seed=[scores(one)["f"] - scores(other)["f"] for one, other in pairs],
            p=p_value(
                self.store.read_gold(pairs[0][0]),
                [self.store.read_predictions(one) for one, _ in pairs],
                [self.store.read_predictions(other) for _, other in pairs],
            ),
        )

    def _group(self) -> list[Cell]:
        """In the order of the grid file."""
        cells: dict[tuple[str, ...], Cell] = {}
        for run in self.done:
            point = (run.protocol, run.corpus, run.hero, run.system)
            folder = Path(run.source.source).name
            cell = cells.setdefault(point, Cell(*point, folder=folder, records=[]))
            cell.records.append(self.recorded[run.id])
        return list(cells.values())


def scores(record: Record) -> dict[str, Any]:
    """Those on test; on dev of a run that didn't read it."""
    return record["test"] or record["dev"]


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation over seeds, if there are several."""
    return stdev(values) if len(values) > 1 else None


def _pair(ones: Sequence[Record], others: Sequence[Record]) -> list[tuple[Record, Record]]:
    """Records of the same seed and of the same corpus."""
    by_seed = {(other["seed"], other["corpus_digest"]): other for other in others}
    pairs = [(one, by_seed.get((one["seed"], one["corpus_digest"]))) for one in ones]
    return [(one, other) for one, other in pairs if other]
