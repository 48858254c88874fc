"""JSONL: one text with its character spans per line."""

from .reading import Task
from .records import BadRecord, Record
from .spans import read_spans
from .texts import Text, text_format

KEYS = frozenset({"text", "spans", "entities", "tokens"})


def read_jsonl(record: Record, task: Task) -> Text:
    """Read ``{"text": ..., "spans": [{"start": ..., "end": ..., "label": ...}]}``.

    ``"entities": [[start, end, label], ...]`` works as well. A text with neither, or with null,
    isn't annotated: its tokens are missing.
    """
    text = record.get("text", str)
    spans, entities = (record.get(key, list, optional=True) for key in ("spans", "entities"))
    if spans is not None and entities is not None:
        raise BadRecord('expected either "spans" or "entities", got both')
    items = entities if spans is None else spans
    return Text(text, None if items is None else read_spans(items), record.line)


JSONL = text_format(
    "jsonl",
    read_jsonl,
    KEYS,
    lambda sample: sample.path.suffix in (".jsonl", ".json") or bool(sample.records),
)
"""The format of JSON that matches no other format."""
