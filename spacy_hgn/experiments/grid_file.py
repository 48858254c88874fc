"""What a grid file may hold; pydantic, which spaCy brings along, checks it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import srsly
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from ..corpora.settings import ReaderSettings
from ..training.recipes import read_recipe

ProtocolName = Literal["paper", "clean", "search"]
TrainingPart = Literal["train", "dev"]

AXES = {
    "corpus": "corpora",
    "hero": "heroes",
    "system": "systems",
    "seed": "seeds",
    "protocol": "protocols",
}
"""What a run is one point of, and the grid file's key for all of it."""

IN_ALL_DIGESTS = {
    "source", "paper_trains_on", "lang", "format", "delimiter", "column", "scheme", "merge"
}  # fmt: skip
"""Settings of a corpus that digests are of also where they are the default. They are older than
those that are left out there, by which the digests of stored results stay what they are."""


class GridError(ValueError):
    """A grid file, or what it names, can't be used. Its text is for the user."""


@dataclass(frozen=True)
class Protocol:
    """What a training may see, and which epoch is tested.

    training_parts: of the corpus, trained on. selects_on_dev: the epoch with the best F1 on
    dev is tested, else the last one. reads_test: else dev alone is scored.
    """

    training_parts: tuple[TrainingPart, ...]
    selects_on_dev: bool
    reads_test: bool
    description: str


PROTOCOLS: dict[str, Protocol] = {
    "paper": Protocol(
        ("train", "dev"),
        selects_on_dev=False,
        reads_test=True,
        description="Trained on train and dev (a corpus may say otherwise) for a fixed number of "
        "epochs; the last epoch is tested.",
    ),
    "clean": Protocol(
        ("train",),
        selects_on_dev=True,
        reads_test=True,
        description="Trained on train; the epoch with the best F1 on dev is tested, once.",
    ),
    "search": Protocol(
        ("train",),
        selects_on_dev=True,
        reads_test=False,
        description="Trained on train; the epoch with the best F1 on dev is scored on dev. Test "
        "isn't read.",
    ),
}
"""``paper`` is the published one; ``search`` is for choosing settings without the test part."""


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | None) else [value]


def _as_value_of(key: str) -> BeforeValidator:
    """A text alone is a mapping with one key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


Name = Annotated[str, Field(pattern=r"^[\w.+-]+$")]
Seed = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[int, Field(ge=1, strict=True)]
Share = Annotated[float, Field(gt=0, le=1, strict=True)]
RecipeName = Annotated[str, AfterValidator(lambda name: read_recipe(name).name)]
Overrides = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]
"""Settings in the place of the config's, in spaCy's dotted form; nothing is none."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CorpusSource(ReaderSettings):
    """Where a corpus is and how it's read: by all settings that ``spacy hgn convert`` has.

    source: a folder with train, dev and test parts. paper_trains_on: its parts that the
    protocol ``paper`` trains on. train_share: how much of its train part there is, as Docs that
    are evenly spread over it; dev and test are whole. lenient: bad lines are repaired.
    """

    source: str
    paper_trains_on: tuple[TrainingPart, ...] = PROTOCOLS["paper"].training_parts
    lang: str = "en"
    format: str = "auto"
    lenient: bool = False
    train_share: Share = 1.0

    @property
    def reader_settings(self) -> dict[str, Any]:
        """Those of ``read_corpus``."""
        return {field.name: getattr(self, field.name) for field in fields(ReaderSettings)}

    @property
    def for_digest(self) -> dict[str, Any]:
        """What digests are of."""
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name in IN_ALL_DIGESTS or value != defaults[name]
        }


class Section(BaseModel):
    """A mapping in the file that has these keys and no others."""

    model_config = ConfigDict(extra="forbid")


class HeroSource(Section):
    """name: as in the config."""

    name: str
    overrides: Overrides = {}


class Where(Section):
    """An exception: the runs that it's for, and what is different with them."""

    corpus: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    hero: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    system: Annotated[list[str] | None, BeforeValidator(_as_list)] = None
    seed: Annotated[list[Seed] | None, BeforeValidator(_as_list)] = None
    protocol: Annotated[list[ProtocolName] | None, BeforeValidator(_as_list)] = None
    overrides: Overrides = {}
    recipe: RecipeName | None = None
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


class ReportSettings(Section):
    """What ``spacy hgn experiment report`` is told: a title, the baseline that systems are
    compared with, two systems to compare sentence by sentence, and whether the systems are the
    paper's."""

    title: str | None = None
    baseline: str = "base"
    compare: tuple[str, str] | None = None
    published: bool = False


class GridFile(Section):
    """The whole file."""

    config: Path
    corpora: dict[Name, Annotated[CorpusSource, _as_value_of("source")]] = Field(min_length=1)
    heroes: dict[Name, Annotated[HeroSource, _as_value_of("name")]] = Field(min_length=1)
    systems: dict[Name, Overrides] = Field(min_length=1)
    seeds: list[Seed] = Field(min_length=1)
    protocols: list[ProtocolName] = Field(min_length=1)
    recipe: RecipeName | None = None
    epochs: Number | None = None
    batch: Number | None = None
    overrides: Overrides = {}
    groups: list[Group] = [Group()]
    where: list[Where] = []
    report: ReportSettings = ReportSettings()

    @model_validator(mode="after")
    def _know_epochs_and_names(self) -> "GridFile":
        """A name that the grid hasn't got would leave a setting out in silence."""
        if self.recipe is None and self.epochs is None:
            raise ValueError("epochs: expected, but not there, nor a recipe")
        for place, key, names in self._names():
            if unknown := sorted({str(name) for name in names if name not in getattr(self, key)}):
                raise ValueError(
                    f"{place}: expected some of the grid's {key}, got {', '.join(unknown)}"
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
        if "baseline" in self.report.model_fields_set:
            yield "report", "systems", [self.report.baseline]


def read_grid_file(path: Path) -> GridFile:
    """Read a grid file.

    Raises GridError if it isn't there or isn't as it should be.
    """
    if not path.is_file():
        raise GridError(f"{path}: no such grid file.")
    try:
        return GridFile.model_validate(srsly.read_yaml(path))
    except ValidationError as error:
        raise GridError("\n".join(f"{path}: {_describe(e)}" for e in error.errors())) from error
    except ValueError as error:
        raise GridError(f"{path}: not YAML. {error}") from error


def _describe(error: ErrorDetails) -> str:
    """Where it is, what was expected, and what came."""
    place = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "value_error":
        return ": ".join(filter(None, (place, str(error["ctx"]["error"]))))
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{place}: there is no such setting"
    if error["type"] in ("missing", "missing_keyword_only_argument", "missing_argument"):
        return f"{place}: expected, but not there"
    problem = error["msg"].replace("Input should be", "expected")
    return f"{place or 'the file'}: {problem}, got {error['input']!r}"
