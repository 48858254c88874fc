"""What a grid file may hold; pydantic, which spaCy brings along, checks it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import srsly
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails, PydanticCustomError

from ..training.recipes import recipe_names
from .errors import GridError
from .protocols import PROTOCOLS, ProtocolName, TrainingPart

AXES = {
    "corpus": "corpora",
    "hero": "heroes",
    "system": "systems",
    "seed": "seeds",
    "protocol": "protocols",
}
"""What a run is one point of, and the grid file's key for all of it."""


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | None) else [value]


def _as_value_of(key: str) -> BeforeValidator:
    """A text alone is a mapping with one key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


Name = Annotated[str, Field(pattern=r"^[\w.+-]+$")]
Seed = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[int, Field(ge=1, strict=True)]
Share = Annotated[float, Field(gt=0, le=1, strict=True)]
Settings = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]
"""Overrides of the config, in spaCy's dotted form; nothing is none."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class CorpusSource:
    """Where a corpus is and how it's read.

    source: a folder with train, dev and test parts. paper_trains_on: its parts that the
    protocol ``paper`` trains on. train_share: how much of its train part there is, as Docs that
    are evenly spread over it; dev and test are whole. The rest are settings of ``read_corpus``.
    """

    source: str
    paper_trains_on: tuple[TrainingPart, ...] = PROTOCOLS["paper"].training_parts
    lang: str = "en"
    format: str = "auto"
    delimiter: str = "auto"
    column: int = -1
    scheme: str = "auto"
    merge: int = 1
    train_share: Share = 1.0

    @property
    def settings(self) -> dict[str, Any]:
        """What digests are of. A whole train part isn't named: digests without it are older."""
        found = asdict(self)
        if self.train_share == 1:
            del found["train_share"]
        return found


class Section(BaseModel):
    """A mapping in the file that has these keys and no others."""

    model_config = ConfigDict(extra="forbid")


class Hero(Section):
    """name: as in the config."""

    name: str
    overrides: Settings = {}


class Where(Section):
    """An exception: the runs that it's for, and what is different with them."""

    corpus: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    hero: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    system: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    seed: Annotated[list[Seed] | None, BeforeValidator(_as_list)] = None
    protocol: Annotated[list[ProtocolName] | None, BeforeValidator(_as_list)] = None
    overrides: Settings = {}
    recipe: str | None = None
    epochs: Number | None = None
    batch: Number | None = None

    def fits(self, point: Mapping[str, Any]) -> bool:
        """Whether a point of the grid is meant."""
        chosen = {axis: getattr(self, axis) for axis in AXES}
        return all(names is None or point[axis] in names for axis, names in chosen.items())


class Group(Section):
    """A smaller grid."""

    corpora: list[str] | None = None
    heroes: list[str] | None = None
    systems: list[str] | None = None
    seeds: list[Seed] | None = None
    protocols: list[ProtocolName] | None = None


class Report(Section):
    """What ``spacy hgn experiment report`` is told: a title, the baseline that systems are
    compared with, two systems to compare sentence by sentence, and whether the systems are the
    paper's."""

    title: str | None = None
    baseline: str | None = None
    compare: tuple[str, str] | None = None
    published: bool = False


class GridFile(Section):
    """The whole file."""

    config: Path
    corpora: dict[Name, Annotated[CorpusSource, _as_value_of("source")]] = Field(min_length=1)
    heroes: dict[Name, Annotated[Hero, _as_value_of("name")]] = Field(min_length=1)
    systems: dict[Name, Settings] = Field(min_length=1)
    seeds: list[Seed] = Field(min_length=1)
    protocols: list[ProtocolName] = Field(min_length=1)
    recipe: str | None = None
    epochs: Number | None = None
    batch: Number | None = None
    overrides: Settings = {}
    groups: list[Group] = [Group()]
    where: list[Where] = []
    report: Report = Report()

    @model_validator(mode="after")
    def _know_recipes(self) -> "GridFile":
        """A recipe stands for epochs and batch; without one, epochs are wanted."""
        chosen = [("recipe", self.recipe), *(("where", each.recipe) for each in self.where)]
        for place, name in chosen:
            if name is not None and name not in recipe_names():
                raise PydanticCustomError(
                    "names",
                    "{place}: expected one of the recipes {known}, got {name}",
                    {"place": place, "known": ", ".join(recipe_names()), "name": repr(name)},
                )
        if self.recipe is None and self.epochs is None:
            raise PydanticCustomError("names", "epochs: expected, but not there, nor a recipe")
        return self

    @model_validator(mode="after")
    def _know_names(self) -> "GridFile":
        """A name that the grid hasn't got would leave a setting out in silence."""
        for place, key, names in self._names():
            if unknown := sorted({str(name) for name in names if name not in getattr(self, key)}):
                raise PydanticCustomError(
                    "names",
                    "{place}: expected some of the grid's {key}, got {unknown}",
                    {"place": place, "key": key, "unknown": ", ".join(unknown)},
                )
        return self

    def _names(self) -> Iterator[tuple[str, str, Sequence[Any]]]:
        """Where the file names points of its axes: the place, the axis and the names."""
        for axis, key in AXES.items():
            for entry in self.where:
                yield "where", key, getattr(entry, axis) or []
            for group in self.groups:
                yield "groups", key, getattr(group, key) or []
        yield "report", "systems", self.report.compare or ()
        yield "report", "systems", [self.report.baseline] if self.report.baseline else []


def read_grid_file(path: Path) -> GridFile:
    """Read a grid file.

    Raises GridError if it isn't there or isn't as it should be.
    """
    if not path.is_file():
        raise GridError(f"{path}: no such grid file.")
    try:
        content = srsly.read_yaml(path)
    except ValueError as error:
        raise GridError(f"{path}: not YAML. {error}") from error
    try:
        return GridFile.model_validate(content)
    except ValidationError as error:
        raise GridError(
            "\n".join(f"{path}: {_describe(found)}" for found in error.errors())
        ) from error


def _describe(found: ErrorDetails) -> str:
    """Where it is, what was expected, and what came."""
    if found["type"] == "names":
        return found["msg"]
    place = ".".join(str(part) for part in found["loc"] if part != "[key]")
    if found["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{place}: there is no such setting"
    if found["type"] == "missing":
        return f"{place}: expected, but not there"
    problem = found["msg"].replace("Input should be", "expected")
    return f"{place or 'the file'}: {problem}, got {found['input']!r}"
