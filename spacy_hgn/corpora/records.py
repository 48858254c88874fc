"""JSON records of a file: one a line, or those of one list."""

import json
from collections.abc import Iterator, Sequence, Set
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

from .errors import CorpusError, expected, unknown_key
from .lines import Line, read_lines, read_text
from .repairs import Repairs, repair_or_raise

HARMLESS = frozenset(
    {"id", "_id", "uid", "doc_id", "sent_id", "meta", "metadata", "source", "url", "title"}
    | {"lang", "language", "date", "timestamp", "split"}
)
"""Keys of records that say nothing about entities."""

_WHITE = " \t\r\n"
_DECODER = json.JSONDecoder()


Field = tuple[str, type, str]
"""A key that a record has to have, the type of its value, and that in words."""


TEXT: Field = ("text", str, "that is a string")


class Record(NamedTuple):
    """A record, and where it stands."""

    line: Line
    value: Any

    def problem(self, *fields: "Field") -> str | None:
        """What is wrong with the record: the first of the fields that it lacks, or None."""
        if not isinstance(self.value, dict):
            return f"expected a JSON object, got {type(self.value).__name__}"
        wrong = (
            expected(what, key, self.value.get(key))
            for key, type_, what in fields
            if not isinstance(self.value.get(key), type_)
        )
        return next(wrong, None)

    def refuse_unknown(self, known: Set[str], ignore: Sequence[str]) -> None:
        """Raise CorpusError for a key that isn't known, harmless or to be ignored."""
        for key in self.value if isinstance(self.value, dict) else ():
            if key not in known and key not in HARMLESS and key not in ignore:
                raise self.line.error(unknown_key(key, known))


def read_records(path: str | Path, repairs: Repairs = None) -> Iterator[Record]:
    """Read the records of a file: of a JSON list, or else a record a line.

    A list is kept as text alone, and its records are made one after the other.

    repairs: a list that takes repairs; without one, a line that isn't JSON is an error.
    """
    return _read_list(Path(path)) if is_list(path) else _read_each_line(path, repairs)


def is_list(path: str | Path) -> bool:
    """Whether a file is one JSON list of records, and not a record a line."""
    letters = (char for line in read_lines(path) for char in line.text if char not in _WHITE)
    return "".join(islice(letters, 2)) in ("[{", "[[", "[]")


def _read_each_line(path: str | Path, repairs: Repairs) -> Iterator[Record]:
    for line in read_lines(path):
        if line.is_blank:
            continue
        found = _parse(line.text)
        if isinstance(found, str):
            repair_or_raise(repairs, line, f"expected JSON, got an error ({found})", became="")
        else:
            yield Record(line, found[0])


def _parse(text: str) -> tuple[Any] | str:
    """The value in a tuple, or what is wrong."""
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError) as error:
        return str(error)


def _read_list(path: Path) -> Iterator[Record]:
    """The elements of a list, each decoded when it is wanted."""
    text = read_text(path)
    place = _skip(text, text.index("[") + 1)
    number, counted = 1, 0
    for record in count(1):
        number, counted = number + text.count("\n", counted, place), place
        if record == 1 and text.startswith("]", place):
            break
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            line = Line(path, number, text[place:].partition("\n")[0], record)
            raise line.error(f"expected JSON, got an error ({error})") from error
        yield Record(Line(path, number, text[place:end], record), value)
        place = _skip(text, end)
        if not text.startswith(",", place):
            break
        place = _skip(text, place + 1)
    if not text.startswith("]", place) or _skip(text, place + 1) < len(text):
        number += text.count("\n", counted, place)
        raise CorpusError(path, "expected a whole JSON list, got one that ends otherwise", number)


def _skip(text: str, place: int) -> int:
    """The next place that isn't white."""
    while place < len(text) and text[place] in _WHITE:
        place += 1
    return place
