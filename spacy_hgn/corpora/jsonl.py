"""JSONL: a text and its character spans a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from .lines import Line, read_lines
from .repairs import Repairs, repair_or_raise
from .schemes import is_label


def read_jsonl(path: str | Path, nlp: Language, *, repairs: Repairs = None) -> Iterator[Doc]:
    """Read ``{"text": ..., "spans": [{"start": ..., "end": ..., "label": ...}]}`` lines.

    Also read is ``"entities": [[start, end, label], ...]``. A text with neither, or null, has
    no annotation: its tokens are missing. Other keys are passed over. Sentences aren't set.

    nlp: tokenizes the texts. repairs: a list that takes repairs; without one, every bad line
    and every span that doesn't fit the tokens is an error.

    Yields a Doc a line.
    Raises CorpusError with the file, the line and its text for what can't be read.
    """
    for line in read_lines(path):
        if line.is_blank:
            continue
        record = _parse(line)
        if isinstance(record, str):
            repair_or_raise(repairs, line, record, became="")
            continue
        doc = nlp.make_doc(record["text"])
        if not len(doc):
            repair_or_raise(repairs, line, 'expected a "text" with tokens', became="")
            continue
        _annotate(doc, record, line, repairs)
        yield doc


def _parse(line: Line) -> dict[str, Any] | str:
    """The object on a line, or what is wrong with it."""
    try:
        record = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        return f"expected JSON, got an error ({error})"
    if not isinstance(record, dict):
        return f"expected a JSON object, got {type(record).__name__}"
    text = record.get("text")
    if not isinstance(text, str):
        return f'expected a "text" that is a string, got {text!r}'
    if any("\ud800" <= char <= "\udfff" for char in text):
        return 'expected a "text" of Unicode characters, got half of a surrogate pair'
    if record.get("spans") is not None and record.get("entities") is not None:
        return 'expected either "spans" or "entities", got both'
    for key in ("spans", "entities"):
        if not isinstance(record.get(key, []), list | None):
            return f'expected "{key}" that are a list, got {record[key]!r}'
    return record


def _annotate(doc: Doc, record: dict[str, Any], line: Line, repairs: Repairs) -> None:
    """Set the record's entities on the Doc."""
    items = record.get("spans")
    if items is None:
        items = record.get("entities")
    if items is None:
        doc.set_ents([], default="missing")
        return
    labels: dict[int, str] = {}  # of the tokens that are in an entity
    entities: list[Span] = []
    unclear: set[int] = set()
    for item in sorted(items, key=_place):
        span = _find_span(doc, item, labels)
        if isinstance(span, Span):
            entities.append(span)
            labels.update(dict.fromkeys(range(span.start, span.end), span.label_))
        else:
            was = json.dumps(item, ensure_ascii=False)
            was = was.encode(errors="backslashreplace").decode()  # half of a surrogate pair
            repair_or_raise(repairs, line, span, became="missing", was=was)
            unclear.update(_tokens_in(doc, *_place(item)))
    missing = [doc[i : i + 1] for i in sorted(unclear - set(labels))]
    doc.set_ents(entities, missing=missing)


def _parse_span(item: Any) -> tuple[Any, Any, Any]:
    """Start, end and label, as they stand there."""
    if isinstance(item, dict):
        return item.get("start"), item.get("end"), item.get("label")
    if isinstance(item, list) and len(item) == 3:
        return item[0], item[1], item[2]
    return None, None, None


def _place(item: Any) -> tuple[int, int]:
    """Start and end, by which to sort: of two that overlap, the first to begin is kept."""
    start, end, _ = _parse_span(item)
    return (start, end) if type(start) is int and type(end) is int else (0, 0)


def _find_span(doc: Doc, item: Any, labels: dict[int, str]) -> Span | str:
    """The span of an annotation, or what is wrong with it.

    labels: of the tokens that are in an entity already.
    """
    start, end, label = _parse_span(item)
    if type(start) is not int or type(end) is not int or not is_label(label):
        return f"expected integers as start and end and a string as label, got {item!r}"
    if not 0 <= start < end <= len(doc.text):
        return f"span {start}-{end} ({label}) isn't in the text, which ends at {len(doc.text)}"
    described = f"span {start}-{end} {doc.text[start:end]!r} ({label})"
    tokens = _tokens_in(doc, start, end)
    span = doc.char_span(start, end, label=label)
    if span is None:
        return f"misaligned {described}, tokens there: {[doc[i].text for i in tokens]}"
    overlapped = [labels[i] for i in tokens if i in labels]
    return f"{described} overlaps one before it ({overlapped[0]})" if overlapped else span


def _tokens_in(doc: Doc, start: int, end: int) -> list[int]:
    """The tokens that have any of these characters."""
    return [token.i for token in doc if token.idx < end and token.idx + len(token) > start]
