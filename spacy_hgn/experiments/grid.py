"""A grid file: which corpora, Heroes, systems, seeds and protocols, with which settings."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import srsly

from .errors import GridError
from .protocols import PROTOCOLS

Settings = dict[str, Any]
"""Overrides of the config, in spaCy's dotted form."""

AXES = {
    "corpus": "corpora",
    "hero": "heroes",
    "system": "systems",
    "seed": "seeds",
    "protocol": "protocols",
}
"""What a run is one point of, and the grid file's key for all of it."""

KEYS = {"config", *AXES.values(), "epochs", "batch", "overrides", "groups", "where", "report"}
REPORT_KEYS = {"title", "baseline", "compare", "published"}
NAME = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class CorpusSource:
    """Where a corpus is and how it's read.

    source: a folder with train, dev and test parts. paper_trains_on: its parts that the
    protocol ``paper`` trains on. The rest are settings of ``read_corpus``.
    """

    source: str
    paper_trains_on: tuple[str, ...] = PROTOCOLS["paper"].training_parts
    lang: str = "en"
    format: str = "auto"
    delimiter: str = "auto"
    column: int = -1
    scheme: str = "auto"
    merge: int = 1


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
        settings = [self.epochs, self.batch, self.overrides, asdict(self.source)]
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


@dataclass(frozen=True)
class Grid:
    """A grid file.

    report: what ``spacy hgn experiment report`` is told: a title, the baseline that systems are
    compared with, two systems to compare sentence by sentence, and whether the systems are the
    paper's.
    """

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
    if not path.is_file():
        raise GridError(f"{path}: no such grid file.")
    try:
        content = srsly.read_yaml(path)
    except ValueError as error:
        raise GridError(f"{path}: not YAML. {error}") from error
    if not isinstance(content, dict):
        raise GridError(f"{path}: expected a mapping with the keys {_words(KEYS)}.")
    return Grid(
        path=path,
        config=Path(_get(content, "config", str, path)),
        runs=list(_make_runs(_check(content, path), path)),
        report=content.get("report", {}),
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


def _check(content: Settings, path: Path) -> Settings:
    if unknown := set(content) - KEYS:
        raise GridError(f"{path}: expected keys of {_words(KEYS)}, got {_words(unknown)}.")
    for key in ("corpora", "heroes", "systems"):
        for name in _get(content, key, dict, path):
            if not NAME.fullmatch(str(name)):
                raise GridError(
                    f"{path}: {key}: a name is of letters, digits and -_.+, got {name!r}."
                )
    if unknown := set(_get(content, "protocols", list, path)) - set(PROTOCOLS):
        raise GridError(
            f"{path}: protocols: expected some of {_words(PROTOCOLS)}, got {_words(unknown)}."
        )
    for entry in [content, *content.get("where", [])]:
        for key in ("epochs", "batch"):
            value = entry.get(key, 1)
            if not isinstance(value, int) or value < 1:
                raise GridError(f"{path}: {key}: expected a number from 1 on, got {value!r}.")
    for entry in content.get("where", []):
        _check_names(entry, {*AXES, "overrides", "epochs", "batch"}, f"{path}: where")
    report = content.get("report", {})
    _check_names(report, REPORT_KEYS, f"{path}: report")
    for name in [*report.get("compare", []), *filter(None, [report.get("baseline")])]:
        if name not in content["systems"]:
            raise GridError(f"{path}: report: expected names of systems, got {name!r}.")
    for group in content.get("groups", []):
        _check_names(group, set(AXES.values()), f"{path}: groups")
        for key, chosen in group.items():
            if missing := [name for name in chosen if name not in content[key]]:
                raise GridError(f"{path}: groups: {key} of the grid lack {_words(missing)}.")
    return content


def _check_names(entry: Mapping[str, Any], expected: set[str], where: str) -> None:
    if unknown := set(entry) - expected:
        raise GridError(f"{where}: expected keys of {_words(expected)}, got {_words(unknown)}.")


def _get(content: Settings, key: str, kind: type, path: Path) -> Any:
    value = content.get(key)
    if not isinstance(value, kind) or not value:
        kinds = {str: "a path", dict: "a mapping", list: "a list", int: "a number"}
        raise GridError(f"{path}: {key}: expected {kinds[kind]}, got {value!r}.")
    return value


def _make_runs(content: Settings, path: Path) -> Iterator[Run]:
    """All systems with one seed, then with the next: comparisons come early."""
    sources = {name: _make_source(c, path) for name, c in content["corpora"].items()}
    order = ("protocol", "corpus", "hero", "seed", "system")
    seen: set[tuple[Any, ...]] = set()
    for group in content.get("groups", [{}]):
        axes = [group.get(AXES[axis], list(_get_axis(content, axis, path))) for axis in order]
        for values in product(*axes):
            if values in seen:
                continue
            seen.add(values)
            point = dict(zip(order, values))
            yield Run(**point, **_settings(content, point), source=sources[point["corpus"]])


def _get_axis(content: Settings, axis: str, path: Path) -> Any:
    kind = list if axis in ("seed", "protocol") else dict
    return _get(content, AXES[axis], kind, path)


def _make_source(value: str | Settings, path: Path) -> CorpusSource:
    settings: Settings = {"source": value} if isinstance(value, str) else dict(value)
    _check_names(settings, set(CorpusSource.__dataclass_fields__), f"{path}: corpora")
    if "source" not in settings:
        raise GridError(f"{path}: corpora: expected a folder as source, got {value!r}.")
    if "paper_trains_on" in settings:
        settings["paper_trains_on"] = tuple(settings["paper_trains_on"])
    return CorpusSource(**settings)


def _settings(content: Settings, point: Settings) -> Settings:
    """Epochs, batch and overrides of a point: general ones first, then more special ones."""
    hero = content["heroes"][point["hero"]]
    hero = {"name": hero} if isinstance(hero, str) else hero
    layers = [
        {"epochs": content.get("epochs"), "batch": content.get("batch", 32)},
        {"overrides": content.get("overrides")},
        {"overrides": {"vars.hero": hero["name"], **(hero.get("overrides") or {})}},
        {"overrides": content["systems"][point["system"]]},
        *(entry for entry in content.get("where", []) if _fits(entry, point)),
    ]
    found: Settings = {"overrides": {}}
    for layer in layers:
        found["overrides"].update(layer.get("overrides") or {})
        found.update({key: layer[key] for key in ("epochs", "batch") if key in layer})
    return found


def _fits(entry: Settings, point: Settings) -> bool:
    return all(
        point[axis] in (entry[axis] if isinstance(entry[axis], list) else [entry[axis]])
        for axis in AXES
        if axis in entry
    )


def _words(names: Any) -> str:
    return ", ".join(sorted(map(str, names)))
