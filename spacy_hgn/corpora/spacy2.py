"""spaCy 2's TRAIN_DATA as JSON: ``["Tim left.", {"entities": [[0, 3, "PERSON"]]}]``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import shorten, unknown_key
from .reading import Format, Reading, Sample, Task
from .records import read_records
from .repairs import repair_or_raise
from .spans import read_spans
from .texts import Text, make_text_docs

KEY = "entities"


def read_spacy2(path: Path, task: Task) -> Iterator[Text]:
    """Read pairs of a text and ``{"entities": [[start, end, label], ...]}``."""
    for record in read_records(path, task.repairs):
        problem = _problem_with(record.value, task.settings.ignore)
        if problem is not None:
            repair_or_raise(task.repairs, record.line, problem, became="")
            continue
        text, annotation = record.value
        yield Text(text, list(read_spans(annotation[KEY])), record.line)


def _problem_with(value: Any, ignore: tuple[str, ...]) -> str | None:
    if not _is_pair(value) or not isinstance(value[1], dict):
        return f'expected [text, {{"{KEY}": [...]}}], got {shorten(repr(value))}'
    unknown = [key for key in value[1] if key != KEY and key not in ignore]
    if unknown:
        return unknown_key(unknown[0], [KEY])
    if not isinstance(value[1].get(KEY), list):
        return f'expected "{KEY}" that are a list, got {shorten(repr(value[1].get(KEY)))}'
    return None


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _fits(sample: Sample) -> bool:
    return bool(sample.records) and all(map(_is_pair, sample.records))


def _read(path: Path, task: Task) -> Reading:
    return Reading("", make_text_docs(read_spacy2(path, task), task))


SPACY2 = Format("spacy2", _read, _fits, frozenset({"ignore"}))
