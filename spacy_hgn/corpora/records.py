"""The JSON records of a file: one per line, or one list."""

import json
from collections.abc import Callable, Iterator, Set
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .errors import CorpusError, expected, unknown_key
from .lines import Line, read_lines, read_text
from .reading import Task
from .repairs import Repairs, repair_or_raise

HARMLESS = frozenset(
    {"id", "_id", "uid", "doc_id", "sent_id", "meta", "metadata", "source", "url", "title"}
    | {"lang", "language", "date", "timestamp", "split"}
)
"""Keys of records that have nothing to do with entities."""

_WHITE = " \t\r\n"
_IN_WORDS: dict[type, str] = {str: "as a string", list: "as a list", dict: "as an object"}
_Found = TypeVar("_Found")


class BadRecord(ValueError):
    """An invalid record. It is an error, or the record is left out."""


class Record(NamedTuple):
    """A record with its place."""

    line: Line
    value: Any

    def get(self, key: str, type_: type, optional: bool = False) -> Any:
        """The value of a key, with the given type; None if it is optional and missing.

        Raises BadRecord for another type, and if the record isn't an object.
        """
        if not isinstance(self.value, dict):
            raise BadRecord(f"expected a JSON object, got {type(self.value).__name__}")
        value = self.value.get(key)
        if not (isinstance(value, type_) or (optional and value is None)):
            raise BadRecord(expected(_IN_WORDS[type_], key, value))
        return value


def read_each(
    path: Path,
    task: Task,
    read: Callable[[Record, Task], _Found | None],
    known: Set[str] | None = None,
) -> Iterator[_Found]:
    """Apply a function to each record of a file, leaving out records for which it returns None.

    known: the keys of records; None if the function checks them.

    Raises CorpusError for an unknown key, and for a BadRecord that isn't repaired.
    """
    for record in read_records(path, task.repairs):
        keys = record.value if known is not None and isinstance(record.value, dict) else ()
        for key in keys:
            if key not in known and key not in HARMLESS and key not in task.settings.ignore:  # type: ignore[operator]
                raise record.line.error(unknown_key(key, known))  # type: ignore[arg-type]
        try:
            found = read(record, task)
        except BadRecord as error:
            repair_or_raise(task.repairs, record.line, str(error), became="")
        else:
            if found is not None:
                yield found


def read_records(path: str | Path, repairs: Repairs = None) -> Iterator[Record]:
    """Read the records of a file: of a JSON list, or one per line.

    A list is held in memory as text, and its records are decoded one by one.

    repairs: a list to add repairs to; without one, a line that isn't JSON is an error.
    """
    return _read_list(Path(path)) if is_list(path) else _read_each_line(path, repairs)


def is_list(path: str | Path) -> bool:
    """Whether a file is one JSON list of records, not one record per line."""
    letters = (char for line in read_lines(path) for char in line.text if char not in _WHITE)
    return "".join(islice(letters, 2)) in ("[{", "[[", "[]")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object. Raises ValueError for a duplicate key, which JSON would ignore."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} twice")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def _read_each_line(path: str | Path, repairs: Repairs) -> Iterator[Record]:
    for line in read_lines(path):
        if line.is_blank:
            continue
        try:
            value = _DECODER.decode(line.text)
        except (ValueError, RecursionError) as error:
            repair_or_raise(repairs, line, f"expected JSON, got an error ({error})", became="")
        else:
            yield Record(line, value)


def _read_list(path: Path) -> Iterator[Record]:
    """The elements of a list, decoded one by one."""
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
    """The next position that isn't white space."""
    while place < len(text) and text[place] in _WHITE:
        place += 1
    return place
