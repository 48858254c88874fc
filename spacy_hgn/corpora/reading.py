"""What a reader of a format is given, and what it gives."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from .repairs import Repairs
from .settings import ReaderSettings


@dataclass
class Task:
    """How to read files.

    nlp: gives the vocabulary, and tokenizes texts. repairs: a list that takes repairs; without
    one, every bad line is an error. counts: takes what was done to records and spans besides
    reading them, in words, and how often. annotated: texts that several annotators may have
    annotated: a hash of the spans, and where they stand.
    """

    nlp: Language
    settings: ReaderSettings = field(default_factory=ReaderSettings)
    repairs: Repairs = None
    counts: Counter[str] = field(default_factory=Counter)
    annotated: dict[Hashable, tuple[int, tuple[int, int | None]]] = field(default_factory=dict)

    def renew_vocab(self) -> None:
        """Forget all words, for they would fill the memory. Docs made before keep theirs."""
        self.nlp = spacy.blank(self.nlp.lang or "xx")


class Reading(NamedTuple):
    """The Docs of a file, one after the other, and in words how it is read."""

    found: str
    docs: Iterator[Doc]


class Sample(NamedTuple):
    """The beginning of a file, by which its format is known.

    first: its first line that isn't blank. records: the first JSON records, if it has such.
    """

    path: Path
    first: str
    records: list[Any]

    def every(self, fits: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether the records are objects that fit."""
        return bool(self.records) and all(isinstance(r, dict) and fits(r) for r in self.records)

    def any(self, fits: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether one of the records is an object that fits."""
        return any(isinstance(record, dict) and fits(record) for record in self.records)


@dataclass(frozen=True)
class Format:
    """A format.

    read: the reader. fits: whether a file looks like it. follows: the settings that it has a use
    for. unit: what its Docs are made of, "sentences" or, where it doesn't tell them, "texts".
    """

    name: str
    read: Callable[[Path, Task], Reading]
    fits: Callable[[Sample], bool]
    follows: frozenset[str] = frozenset()
    unit: str = "texts"
