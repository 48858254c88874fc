"""Prodigy's JSONL: a text, its spans, and the annotator's answer."""

from typing import Any

from .errors import expected
from .reading import Task
from .records import BadRecord, Record
from .spans import MORE, CharSpan, read_spans
from .texts import Text, is_first, text_format

ANSWERS = {"accept": "accepted", "reject": "rejected", "ignore": "ignored"}
MARKS = frozenset({"answer", "_input_hash", "_task_hash", "_session_id", "_annotator_id"})
"""Keys that only Prodigy uses."""

RELATIONS = frozenset({"relations", "arcs"})
KEYS = MARKS | RELATIONS | {"text", "spans", "tokens", "label", "priority", "score", "pattern"}
KEYS |= {"_view_id", "_timestamp", "_is_binary", "_session", "_block", "flagged"}
KEYS |= {"view_id", "versions", "sessions", "default"}  # of reviewed records


def read_prodigy(record: Record, task: Task) -> Text | None:
    """Read a record. An accepted record is gold, an ignored one is left out.

    In a rejected record, the spans are wrong and all other tokens are unknown. It is left out
    unless ``settings.rejected`` names a key for wrong spans. If an annotator only accepted or
    rejected one suggestion, all other tokens are unknown too.
    """
    text, items = record.get("text", str), record.get("spans", list, optional=True)
    answer, key = record.value.get("answer"), task.settings.rejected
    if answer not in ANSWERS:
        raise BadRecord(expected(f"as one of {', '.join(ANSWERS)}", "answer", answer))
    task.counts.update(
        ["texts with relations, which are passed over"]
        if any(record.value.get(key) for key in RELATIONS)
        else []
    )
    spans = None
    if items is not None:
        spans = list(map(_check_span, read_spans(items, more=MORE | {"answer", "flagged", "type"})))
    if answer == "accept":
        is_partial = _is_partial(record.value)
        same = None if is_partial else record.value.get("_input_hash")
        if same is not None and not is_first(record.line, same, spans or (), task):
            return None
        task.counts["records accepted"] += 1
        left_out = 0 if key else sum(span.is_wrong for span in spans or ())
        task.counts.update({"spans rejected, left out": left_out} if left_out else {})
        return Text(text, spans, record.line, is_partial)
    if answer == "reject" and spans and key:
        task.counts[f'records rejected, their spans are wrong ones: doc.spans["{key}"]'] += 1
        wrong = [span._replace(is_wrong=True) for span in spans]
        return Text(text, wrong, record.line, is_partial=True)
    task.counts[f"records {ANSWERS[answer]}, left out"] += 1
    return None


def _check_span(span: CharSpan) -> CharSpan:
    """Check a span's own answer, if it has one."""
    answer = span.source.get("answer", "accept") if isinstance(span.source, dict) else "accept"
    if answer not in ("accept", "reject"):
        return span._replace(problem=expected("of a span as accept or reject", "answer", answer))
    return span._replace(is_wrong=answer == "reject")


def _is_partial(record: dict[str, Any]) -> bool:
    """Whether the annotator could only accept or reject spans, not add any."""
    spans = record.get("spans") or ()
    asked_each = any(isinstance(span, dict) and "answer" in span for span in spans)
    return asked_each or bool(record.get("_is_binary")) or record.get("_view_id") == "ner"


PRODIGY = text_format(
    "prodigy",
    read_prodigy,
    KEYS,
    lambda sample: sample.any(lambda record: not MARKS.isdisjoint(record)),
    "rejected",
)
