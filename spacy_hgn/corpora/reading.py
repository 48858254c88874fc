"""The input and output of the readers of formats."""

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

    nlp: provides the vocabulary and the tokenizer. repairs: a list to add repairs to; without one,
    every bad line is an error. counts: how many records and spans were left out or changed, by
    description. annotated: for each text that several annotators may have annotated, a hash of its
    spans and their place.
    """

    nlp: Language
    settings: ReaderSettings = field(default_factory=ReaderSettings)
    repairs: Repairs = None
    counts: Counter[str] = field(default_factory=Counter)
    annotated: dict[Hashable, tuple[int, tuple[int, int | None]]] = field(default_factory=dict)

    def renew_vocab(self) -> None:
        """Start a new vocabulary, to free memory. Existing Docs keep theirs."""
        self.nlp = spacy.blank(self.nlp.lang or "xx")


class Reading(NamedTuple):
    """The Docs of a file, read one by one. found: its format in words."""

    found: str
    docs: Iterator[Doc]


class Sample(NamedTuple):
    """The beginning of a file, for detecting its format.

    first: its first line that isn't blank. records: its first JSON records, if there are any.
    """

    path: Path
    first: str
    records: list[Any]

    def every(self, fits: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether all records are objects that fit."""
        return bool(self.records) and all(isinstance(r, dict) and fits(r) for r in self.records)

    def any(self, fits: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether one of the records is an object that fits."""
        return any(isinstance(record, dict) and fits(record) for record in self.records)


@dataclass(frozen=True)
class Format:
    """A format.

    read: the reader. fits: whether a file looks like this format. follows: the settings that it
    supports.
    """

    name: str
    read: Callable[[Path, Task], Reading]
    fits: Callable[[Sample], bool]
    follows: frozenset[str] = frozenset()
