"""Documents to annotate, and documents that can't be read."""

import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from spacy.tokens import Doc

from .settings import AnnotateSettings


@dataclass(frozen=True)
class Document:
    """A text to annotate, or a Doc.

    id: its name in the output. source: its place in the input, for messages. meta: other data
    about it in the input, as JSON.
    """

    id: str
    source: str
    content: str | Doc
    meta: str | None = None


@dataclass(frozen=True)
class Failure:
    """A document that couldn't be read or annotated, with the reason."""

    id: str
    source: str
    error: str


Read: TypeAlias = Document | Failure


def make_document(record: Any, source: str, settings: AnnotateSettings) -> Read:
    """Make a document from a record of JSONL or Parquet, or a Failure if the record is invalid.

    Without an id, the source is the id.
    """
    if not isinstance(record, dict):
        return Failure(source, source, f"expected a JSON object, got {type(record).__name__}")
    name, text, meta = (record.get(key) for key in (settings.id, settings.text, settings.meta))
    if name is not None and type(name) not in (str, int):
        found = f'expected "{settings.id}" to be a string or an integer, got {name!r}'
        return Failure(source, source, found)
    document, dumped = source if name is None else str(name), dump_meta(meta)
    try:
        f"{document}{text}{dumped}".encode()
    except UnicodeEncodeError:  # no file and no Doc can hold it
        found = "expected Unicode characters, got half of a surrogate pair"
        return Failure(source, source, found)
    if not isinstance(text, str):
        found = f'expected "{settings.text}" to be a string, got {text!r:.100}'
        return Failure(document, source, found)
    return Document(document, source, text, dumped)


def dump_meta(meta: Any) -> str | None:
    """Dump as JSON, with other types as strings; None stays None."""
    return None if meta is None else json.dumps(meta, ensure_ascii=False, default=str)
