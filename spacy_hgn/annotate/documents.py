"""What is read: documents, and places where there should be one."""

from dataclasses import dataclass
from typing import TypeAlias

from spacy.tokens import Doc


@dataclass(frozen=True)
class Document:
    """A text to annotate, or a Doc.

    id: what it is called in the output. source: where it stands, for messages. meta: JSON of
    what else the input says about it.
    """

    id: str
    source: str
    content: str | Doc
    meta: str | None = None


@dataclass(frozen=True)
class Failure:
    """A document that could not be read or annotated, and why."""

    id: str
    source: str
    error: str


Read: TypeAlias = Document | Failure


def check_unicode(*texts: str | None) -> str | None:
    """What is wrong with texts that no file and no Doc can hold; None if nothing is."""
    for text in texts:
        if text is not None and any("\ud800" <= char <= "\udfff" for char in text):
            return "expected Unicode characters, got half of a surrogate pair"
    return None
