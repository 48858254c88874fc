"""JSONL: a text and its character spans a line."""

from collections.abc import Iterator
from pathlib import Path

from .errors import expected
from .reading import Format, Reading, Task
from .records import TEXT, Record, read_records
from .repairs import repair_or_raise
from .spans import read_spans
from .texts import Text, make_text_docs

KEYS = frozenset({"text", "spans", "entities", "tokens"})


def read_jsonl(path: Path, task: Task) -> Iterator[Text]:
    """Read ``{"text": ..., "spans": [{"start": ..., "end": ..., "label": ...}]}`` lines.

    Also read is ``"entities": [[start, end, label], ...]``. A text with neither, or null, has
    no annotation: its tokens are missing.
    """
    for record in read_records(path, task.repairs):
        record.refuse_unknown(KEYS, task.settings.ignore)
        problem = _problem_with(record)
        if problem is not None:
            repair_or_raise(task.repairs, record.line, problem, became="")
            continue
        items = record.value.get("spans")
        items = record.value.get("entities") if items is None else items
        spans = None if items is None else list(read_spans(items))
        yield Text(record.value["text"], spans, record.line)


def _problem_with(record: Record) -> str | None:
    problem = record.problem(TEXT)
    if problem is not None:
        return problem
    if record.value.get("spans") is not None and record.value.get("entities") is not None:
        return 'expected either "spans" or "entities", got both'
    for key in ("spans", "entities"):
        if not isinstance(record.value.get(key), list | None):
            return expected("that are a list", key, record.value[key])
    return None


def _read(path: Path, task: Task) -> Reading:
    return Reading("", make_text_docs(read_jsonl(path, task), task))


JSONL = Format(
    "jsonl",
    _read,
    lambda sample: sample.path.suffix in (".jsonl", ".json") or bool(sample.records),
    frozenset({"ignore"}),
)
"""What all JSON is that is nothing else."""
