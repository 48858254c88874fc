"""spaCy 2's TRAIN_DATA as JSON: ``["Tim left.", {"entities": [[0, 3, "PERSON"]]}]``."""

from typing import Any

from .errors import shorten, unknown_key
from .reading import Task
from .records import BadRecord, Record
from .spans import read_spans
from .texts import Text, text_format

KEY = "entities"


def read_spacy2(record: Record, task: Task) -> Text:
    """Read a text and ``{"entities": [[start, end, label], ...]}``."""
    if not _is_pair(record.value) or not isinstance(record.value[1], dict):
        raise BadRecord(f'expected [text, {{"{KEY}": [...]}}], got {shorten(repr(record.value))}')
    text, annotation = record.value
    unknown = [key for key in annotation if key != KEY and key not in task.settings.ignore]
    if unknown:
        raise record.line.error(unknown_key(unknown[0], [KEY]))
    return Text(text, read_spans(Record(record.line, annotation).get(KEY, list)), record.line)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


SPACY2 = text_format(
    "spacy2",
    read_spacy2,
    None,
    lambda sample: bool(sample.records) and all(map(_is_pair, sample.records)),
)
