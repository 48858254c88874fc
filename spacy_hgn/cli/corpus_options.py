"""The options for reading corpora, as in ``spacy hgn convert``."""

import inspect
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import spacy
from spacy.language import Language
from typer import BadParameter, Option
from wasabi import msg

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import FORMATS
from spacy_hgn.corpora.repairs import Repairs
from spacy_hgn.corpora.schemes import NOTATIONS
from spacy_hgn.corpora.settings import DELIMITERS, OFFSETS, ReaderSettings


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in choices:
            raise BadParameter(f"expected one of {', '.join(choices)}, got {value!r}")
        return value

    return check


def _choice(name: str, choices: Iterable[str], help: str) -> Any:
    choices = ("auto", *choices)
    return Option(name, help=help, callback=_one_of(choices), metavar="|".join(choices))


Format = _choice("--format", FORMATS, "Format of the input; auto: detect it")
Delimiter = _choice("--delimiter", DELIMITERS, "What separates columns; auto: detect it")
Column = Option("--column", help="Column of the tag, from 1, or negative from the end")
TokenColumn = Option("--token-column", help="Column of the token, likewise; by default the first")
Scheme = _choice("--scheme", NOTATIONS, "Tag scheme; auto: detect it, except io")
Comments = Option("--comments", help="Skip lines before a sentence that begin with #")
TagNames = Option("--tag-names", help="Names of tags 0, 1 ...: O,B-PER,I-PER or a JSON file")
Ignore = Option("--ignore", help="Keys of records to skip: a,b")
Rejected = Option("--rejected", help="Key of doc.spans for spans rejected in Prodigy")
Offsets = _choice("--offsets", OFFSETS, "What spans count; in utf16 an emoji counts as two")
Merge = Option("--merge", min=1, help="Consecutive sentences of a document per Doc")
Lang = Option("--lang", help="Language of the tokenizer")
Lenient = Option("--lenient", help="Repair bad lines, by the rules of convert, and list repairs")


@dataclass(frozen=True)
class CorpusOptions:
    """How to read corpora, from the command line."""

    format: Annotated[str, Format] = "auto"
    delimiter: Annotated[str, Delimiter] = "auto"
    column: Annotated[int, Column] = -1
    token_column: Annotated[int | None, TokenColumn] = None
    scheme: Annotated[str, Scheme] = "auto"
    comments: Annotated[bool, Comments] = False
    tag_names: Annotated[str, TagNames] = ""
    ignore: Annotated[str, Ignore] = ""
    rejected: Annotated[str | None, Rejected] = None
    offsets: Annotated[str, Offsets] = "auto"
    merge: Annotated[int, Merge] = 1
    lang: Annotated[str, Lang] = "en"
    lenient: Annotated[bool, Lenient] = False

    def settings(self) -> ReaderSettings:
        """The readers' settings. Raises ValueError for an unknown value."""
        given = asdict(self)
        for name in ("format", "lang", "lenient"):
            del given[name]
        names = tuple(read_tag_names(self.tag_names))
        ignore = tuple(filter(None, self.ignore.split(",")))
        return ReaderSettings(**{**given, "tag_names": names, "ignore": ignore})

    def repairs(self) -> Repairs:
        """An empty list for repairs; None if bad lines are errors."""
        return [] if self.lenient else None

    def make_pipeline(self) -> Language:
        """The language's tokenizer and vocabulary. Raises ValueError if spaCy doesn't know it."""
        try:
            return spacy.blank(self.lang)
        except ImportError as error:
            raise ValueError(str(error)) from error


def with_corpus_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add all of ``CorpusOptions`` to a command, which gets them as its argument ``options``."""
    fields = inspect.signature(CorpusOptions).parameters
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "options"]

    def run(**given: Any) -> None:
        chosen = {name: given.pop(name) for name in fields}
        command(**given, options=CorpusOptions(**chosen))

    run.__doc__ = command.__doc__
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *fields.values())]
    run.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in keyword}
    return run


def read_tag_names(given: str) -> list[str]:
    """Tag names from a comma-separated list or a JSON file.

    The file holds a list or is a ``dataset_info.json`` of Hugging Face. Raises CorpusError if it
    has no names.
    """
    path = Path(given)
    if path.suffix != ".json":
        return [name.strip() for name in given.split(",") if name.strip()]
    found = _read_json(path)
    try:
        names = found if isinstance(found, list) else _find_names(found["features"]["ner_tags"])
    except (LookupError, TypeError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CorpusError(path, "expected a list of names, or names in features.ner_tags")
    return names


def _find_names(feature: dict[str, Any]) -> Any:
    return feature["names"] if "names" in feature else _find_names(feature["feature"])


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise CorpusError(path, f"expected JSON, got an error ({error})") from error


def show_counts_of_reading(counts: dict[str, int], repairs: Repairs = None) -> None:
    """Print how many records and spans were left out or changed, and how many lines repaired."""
    for what, n in counts.items():
        msg.info(f"{what[0].upper()}{what[1:]}: {n:,}")
    if repairs is not None:
        msg.info(f"Repairs: {len(repairs):,}. spacy hgn convert --lenient lists them")
