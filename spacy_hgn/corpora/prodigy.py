"""Prodigy's JSONL: a text, its spans, and what an annotator answered."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import expected
from .reading import Format, Reading, Task
from .records import TEXT, Record, read_records
from .repairs import repair_or_raise
from .spans import MORE, read_spans
from .texts import CharSpan, Text, make_text_docs

JUDGED = {"accept": "accepted", "reject": "rejected", "ignore": "ignored"}
MARKS = frozenset({"answer", "_input_hash", "_task_hash", "_session_id", "_annotator_id"})
"""Keys that Prodigy gives to records, and nobody else."""

KEYS = MARKS | {"text", "spans", "tokens", "label", "priority", "score", "flagged", "pattern"}
KEYS |= {"_view_id", "_timestamp", "_is_binary", "_session", "_block"}
RELATIONS = frozenset({"relations", "arcs"})


def read_prodigy(path: Path, task: Task) -> Iterator[Text]:
    """Read records: accepted ones are gold, ignored ones are left out.

    Of rejected ones the spans are wrong, and nothing is known besides; they are left out unless
    there is a place for wrong spans, ``settings.rejected``. Where an annotator was shown one
    suggestion and said yes or no, nothing is known besides either.
    """
    for record in read_records(path, task.repairs):
        record.refuse_unknown(KEYS | RELATIONS, task.settings.ignore)
        problem = _problem_with(record)
        if problem is not None:
            repair_or_raise(task.repairs, record.line, problem, became="")
            continue
        task.counts.update(["texts with relations, which are passed over"] * _has_relations(record))
        text = _judge(record, task)
        if text is not None:
            yield text


def _judge(record: Record, task: Task) -> Text | None:
    """The text with what its answer makes of its spans; None if it is left out."""
    answer, items, key = record.value["answer"], record.value.get("spans"), task.settings.rejected
    spans = None if items is None else [_judge_span(span) for span in _read_spans(items)]
    if answer == "accept":
        task.counts["records accepted"] += 1
        left_out = 0 if key else sum(span.is_wrong for span in spans or ())
        task.counts.update({"spans rejected, left out": left_out} if left_out else {})
        return Text(record.value["text"], spans, record.line, _is_partial(record))
    if answer == "reject" and spans and key:
        task.counts[f'records rejected, their spans are wrong ones: doc.spans["{key}"]'] += 1
        wrong = [span._replace(is_wrong=True) for span in spans]
        return Text(record.value["text"], wrong, record.line, is_partial=True)
    task.counts[f"records {JUDGED[answer]}, left out"] += 1
    return None


def _read_spans(items: list[Any]) -> Iterator[CharSpan]:
    return read_spans(items, more=MORE | {"answer", "flagged"})


def _judge_span(span: CharSpan) -> CharSpan:
    """A span may have an answer of its own."""
    answer = span.source.get("answer", "accept") if isinstance(span.source, dict) else "accept"
    if answer not in ("accept", "reject"):
        return span._replace(problem=expected("of a span as accept or reject", "answer", answer))
    return span._replace(is_wrong=answer == "reject")


def _is_partial(record: Record) -> bool:
    """Whether the annotator could say yes or no to spans, and add none."""
    spans = record.value.get("spans") or ()
    asked_each = any(isinstance(span, dict) and "answer" in span for span in spans)
    shown = bool(record.value.get("_is_binary")) or record.value.get("_view_id") == "ner"
    return asked_each or shown


def _has_relations(record: Record) -> bool:
    return any(record.value.get(key) for key in RELATIONS)


def _problem_with(record: Record) -> str | None:
    problem = record.problem(TEXT)
    if problem is not None:
        return problem
    if record.value.get("answer") not in JUDGED:
        return expected(f"as one of {', '.join(JUDGED)}", "answer", record.value.get("answer"))
    if not isinstance(record.value.get("spans"), list | None):
        return expected("that are a list", "spans", record.value["spans"])
    return None


def _read(path: Path, task: Task) -> Reading:
    return Reading("", make_text_docs(read_prodigy(path, task), task))


PRODIGY = Format(
    "prodigy",
    _read,
    lambda sample: sample.any(lambda record: not MARKS.isdisjoint(record)),
    frozenset({"ignore", "rejected"}),
)
