"""Label Studio's JSON-MIN: a task's values and its regions, by their names, in one object."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import expected, unknown_key
from .label_studio import find_text, read_value
from .reading import Format, Reading, Sample, Task
from .records import HARMLESS, Record, read_records
from .repairs import repair_or_raise
from .texts import Text, make_text_docs

MARKS = frozenset({"annotation_id", "annotator", "lead_time"})
KEYS = MARKS | HARMLESS | {"created_at", "updated_at", "agreement", "project", "file_upload"}
"""Keys that are neither text nor regions."""


def read_label_studio_min(path: Path, task: Task) -> Iterator[Text]:
    """Read ``{"text": ..., "label": [{"start": 0, "end": 8, "labels": ["PER"]}]}`` records.

    The names of text and regions are those of the labelling interface. A record without regions
    is a text without entities.
    """
    for record in read_records(path, task.repairs):
        text = _read_record(record, task)
        if isinstance(text, str):
            repair_or_raise(task.repairs, record.line, text, became="")
        else:
            yield text


def _read_record(record: Record, task: Task) -> Text | str:
    """The text with its spans, or what is wrong."""
    if not isinstance(record.value, dict):
        return f"expected a JSON object, got {type(record.value).__name__}"
    passed_over = {*KEYS, *task.settings.ignore}
    values = {key: value for key, value in record.value.items() if key not in passed_over}
    text = find_text(values, ())
    if text is None:
        keys = ", ".join(values) or "none"
        return f"expected one text, got the keys {keys}. Pass others over: --ignore KEY"
    others = {key: value for key, value in values.items() if value is not text}
    unknown = [key for key, value in others.items() if not _are_regions(value)]
    if unknown:
        raise record.line.error(unknown_key(unknown[0], [*KEYS, "a text", "regions"]))
    if len(others) > 1:
        return f"expected regions under one key, got {' and '.join(others)}"
    regions = next(iter(others.values()), None)
    if regions is None and "annotation_id" not in record.value:
        return expected("or regions", "annotation_id", None)
    return Text(text, [read_value(region, region) for region in regions or ()], record.line)


def _are_regions(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(x, dict) and "start" in x for x in value)


def _fits(sample: Sample) -> bool:
    return sample.any(lambda record: not MARKS.isdisjoint(record) or _has_regions(record))


def _has_regions(record: dict[str, Any]) -> bool:
    return any(
        _are_regions(value) and any("labels" in region for region in value)
        for value in record.values()
        if isinstance(value, list)
    )


def _read(path: Path, task: Task) -> Reading:
    return Reading("", make_text_docs(read_label_studio_min(path, task), task))


LABEL_STUDIO_MIN = Format("label-studio-min", _read, _fits, frozenset({"ignore"}))
