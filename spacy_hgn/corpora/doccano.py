"""Doccano's JSONL: a text and its spans, under one of the keys that its versions have."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import expected
from .reading import Format, Reading, Sample, Task
from .records import TEXT, Record, read_records
from .repairs import repair_or_raise
from .spans import read_spans
from .texts import Text, make_text_docs

SPANS = ("label", "labels", "entities", "annotations")
"""Keys of the spans: the first two have lists, the last objects, and "entities" either."""

KEYS = frozenset({*SPANS, "text", "relations", "Comments", "comments", "annotation_approver"})
OFFSETS = ("start_offset", "end_offset")
MORE = frozenset({"id", "text", "user", "prob", "example", "document", "manual", "uuid"})
MORE |= {"created_at", "updated_at"}


def read_doccano(path: Path, task: Task) -> Iterator[Text]:
    """Read ``{"text": ..., "label": [[0, 8, "PER"]]}`` lines, and all other styles.

    Relations between spans are passed over. A text without any of the keys has no annotation.
    """
    for record in read_records(path, task.repairs):
        record.refuse_unknown(KEYS, task.settings.ignore)
        problem = _problem_with(record)
        if problem is not None:
            repair_or_raise(task.repairs, record.line, problem, became="")
            continue
        relations = record.value.get("relations")
        task.counts.update(["texts with relations, which are passed over"] if relations else [])
        given = [record.value[key] for key in SPANS if record.value.get(key) is not None]
        spans = list(read_spans(given[0], OFFSETS, MORE)) if given else None
        yield Text(record.value["text"], spans, record.line)


def _problem_with(record: Record) -> str | None:
    problem = record.problem(TEXT)
    if problem is not None:
        return problem
    given = [key for key in SPANS if record.value.get(key) is not None]
    if len(given) > 1:
        return f"expected one of {', '.join(SPANS)}, got {' and '.join(given)}"
    for key in given:
        if not isinstance(record.value[key], list):
            return expected("that is a list of spans", key, record.value[key])
    return None


def _fits(sample: Sample) -> bool:
    return sample.every(lambda record: "text" in record) and sample.any(_is_doccano)


def _is_doccano(record: dict[str, Any]) -> bool:
    if not {"relations", "Comments", "annotation_approver"}.isdisjoint(record):
        return True
    items = [item for key in SPANS for item in _items(record, key)]
    if any(isinstance(item, dict) and OFFSETS[0] in item for item in items):
        return True
    return any(
        isinstance(record.get(key), list) and not any(isinstance(item, dict) for item in items)
        for key in ("label", "labels")
    )


def _items(record: dict[str, Any], key: str) -> list[Any]:
    found = record.get(key)
    return found if isinstance(found, list) else []


def _read(path: Path, task: Task) -> Reading:
    return Reading("", make_text_docs(read_doccano(path, task), task))


DOCCANO = Format("doccano", _read, _fits, frozenset({"ignore"}))
