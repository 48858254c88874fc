"""Doccano's JSONL: a text and its spans, under keys that depend on Doccano's version."""

from typing import Any

from .reading import Sample, Task
from .records import BadRecord, Record
from .spans import read_spans
from .texts import Text, text_format

TEXTS = ("text", "data")
SPANS = ("label", "labels", "entities", "annotations")
"""Keys of the spans: the first two hold lists, the last objects, and "entities" either."""

MARKS = frozenset({"relations", "Comments", "annotation_approver", "username"})
"""Keys that only Doccano uses."""

KEYS = frozenset({*TEXTS, *SPANS, "comments", *MARKS})
OFFSETS = ("start_offset", "end_offset")
MORE = frozenset({"id", "text", "user", "prob", "example", "document", "manual", "uuid"})
MORE |= {"created_at", "updated_at"}


def read_doccano(record: Record, task: Task) -> Text:
    """Read ``{"text": ..., "label": [[0, 8, "PER"]]}``, and all other styles.

    Relations between spans are skipped. A text without any of the keys isn't annotated.
    """
    found = {key: record.get(key, list, optional=True) for key in SPANS}
    given = [key for key in SPANS if found[key] is not None]
    if len(given) > 1:
        raise BadRecord(f"expected one of {', '.join(SPANS)}, got {' and '.join(given)}")
    if len(TEXTS) == sum(key in record.value for key in TEXTS):
        raise BadRecord('expected either "text" or "data", got both')
    text = record.get(TEXTS["data" in record.value], str)
    spans = read_spans(found[given[0]], OFFSETS, MORE) if given else None
    if record.value.get("relations"):
        task.counts["texts with relations, which are passed over"] += 1
    return Text(text, spans, record.line, is_from_javascript=True)


def _fits(sample: Sample) -> bool:
    has_text = sample.every(lambda record: not record.keys().isdisjoint(TEXTS))
    return has_text and sample.any(_is_doccano)


def _is_doccano(record: dict[str, Any]) -> bool:
    if not MARKS.isdisjoint(record):
        return True
    lists = {key: record[key] for key in SPANS if isinstance(record.get(key), list)}
    objects = [item for items in lists.values() for item in items if isinstance(item, dict)]
    if objects:
        return any(OFFSETS[0] in item for item in objects)
    return "label" in lists or "labels" in lists


DOCCANO = text_format("doccano", read_doccano, KEYS, _fits)
