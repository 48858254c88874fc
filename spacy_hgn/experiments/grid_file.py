"""The schema of grid files, checked by pydantic, which spaCy installs."""

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
"""The axes of a grid, and their keys in the grid file."""

IN_ALL_DIGESTS = {
    "source", "paper_trains_on", "lang", "format", "delimiter", "column", "scheme", "merge"
}  # fmt: skip
"""Settings of a corpus that are always in digests. Newer settings are left out at their default, so
that the digests of stored results don't change."""


class GridError(ValueError):
    """A grid file, or something it names, can't be used. The message is for users."""


@dataclass(frozen=True)
class Protocol:
    """The parts that a training may use, and the epoch that is tested.

    training_parts: of the corpus, to train on. selects_on_dev: test the epoch with the best F1 on
    dev; otherwise the last one. reads_test: score test; otherwise only dev.
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
"""``paper`` is the published protocol; ``search`` is for choosing settings without test."""


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | None) else [value]


def _as_value_of(key: str) -> BeforeValidator:
    """Turn a plain string into a mapping with one key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


Name = Annotated[str, Field(pattern=r"^[\w.+-]+$")]
Seed = Annotated[int, Field(ge=0, strict=True)]
Number = Annotated[int, Field(ge=1, strict=True)]
Share = Annotated[float, Field(gt=0, le=1, strict=True)]
RecipeName = Annotated[str, AfterValidator(lambda name: read_recipe(name).name)]
Overrides = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]
"""Overrides of the config's settings, in spaCy's dotted form; an empty value is none."""


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class CorpusSource(ReaderSettings):
    """The place of a corpus and how to read it, with all settings of ``spacy hgn convert``.

    source: a folder with train, dev and test parts. paper_trains_on: the parts that the protocol
    ``paper`` trains on. train_share: the share of its train part to use, as evenly spread Docs;
    dev and test are complete. lenient: whether to repair bad lines.
    """

    source: str
    paper_trains_on: tuple[TrainingPart, ...] = PROTOCOLS["paper"].training_parts
    lang: str = "en"
    format: str = "auto"
    lenient: bool = False
    train_share: Share = 1.0

    @property
    def reader_settings(self) -> dict[str, Any]:
        """The settings of ``read_corpus``."""
        return {field.name: getattr(self, field.name) for field in fields(ReaderSettings)}

    @property
    def for_digest(self) -> dict[str, Any]:
        """The settings for digests."""
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name in IN_ALL_DIGESTS or value != defaults[name]
        }


class Section(BaseModel):
    """A mapping in the file, with these keys only."""

    model_config = ConfigDict(extra="forbid")


class HeroSource(Section):
    """A Hero. name: as in the config."""

    name: str
    overrides: Overrides = {}


class Where(Section):
    """An exception: the runs that it applies to, and their settings."""

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
        """Whether it applies to a point of the grid."""
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
    """Settings of ``spacy hgn experiment report``: a title, the baseline to compare systems with,
    two systems to compare sentence by sentence, and whether to show the paper's values."""

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
        """Check names, because an unknown one would silently have no effect."""
        if self.recipe is None and self.epochs is None:
            raise ValueError("epochs: expected, because there is no recipe")
        for place, key, names in self._names():
            if unknown := sorted({str(name) for name in names if name not in getattr(self, key)}):
                raise ValueError(
                    f"{place}: expected some of the grid's {key}, got {', '.join(unknown)}"
                )
        return self

    def _names(self) -> Iterator[tuple[str, str, Sequence[Any]]]:
        """The names of points in other sections: the section, the axis and the names."""
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

    Raises GridError if it doesn't exist or is invalid.
    """
    if not path.is_file():
        raise GridError(f"{path}: expected a grid file, but there is none.")
    try:
        return GridFile.model_validate(srsly.read_yaml(path))
    except ValidationError as error:
        raise GridError("\n".join(f"{path}: {_describe(e)}" for e in error.errors())) from error
    except ValueError as error:
        raise GridError(f"{path}: expected YAML, got an error ({error})") from error


def _describe(error: ErrorDetails) -> str:
    """The place of an error, what was expected, and what the file has."""
    place = ".".join(str(part) for part in error["loc"] if part != "[key]")
    if error["type"] == "value_error":
        return ": ".join(filter(None, (place, str(error["ctx"]["error"]))))
    if error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{place}: there is no such setting"
    if error["type"] in ("missing", "missing_keyword_only_argument", "missing_argument"):
        return f"{place}: expected, but missing"
    problem = error["msg"].replace("Input should be", "expected")
    return f"{place or 'the file'}: {problem}, got {error['input']!r}"
