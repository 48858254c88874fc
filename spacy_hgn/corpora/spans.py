"""Spans as records have them: ``{"start": 0, "end": 8, "label": "PER"}`` or ``[0, 8, "PER"]``."""

from collections.abc import Iterator, Set
from typing import Any

from .errors import shorten, unknown_key
from .texts import CharSpan

START_END = ("start", "end")
MORE = frozenset(
    {"text", "token_start", "token_end", "score", "source", "priority", "pattern"}
    | {"id", "kb_id", "input_hash"}
)
"""Further keys of a span, which change nothing about it. Its text is compared with the text."""


def read_spans(
    items: list[Any], names: tuple[str, str] = START_END, more: Set[str] = MORE
) -> Iterator[CharSpan]:
    """The spans of a record. names: the keys of their start and end. more: other keys they have."""
    for item in items:
        if isinstance(item, dict):
            yield read_span(item, names, more)
        elif isinstance(item, list) and len(item) == 3:
            yield CharSpan(item[0], item[1], item[2], item)
        else:
            got = shorten(repr(item))
            problem = f"expected [start, end, label] or an object with these, got {got}"
            yield CharSpan(None, None, None, item, problem=problem)


def read_span(item: dict[str, Any], names: tuple[str, str], more: Set[str]) -> CharSpan:
    """A span that is an object."""
    start, end = (item.get(name) for name in names)
    known = {*names, "label", *more}
    unknown = [key for key in item if key not in known]
    problem = f"a span with an {unknown_key(unknown[0], known, ignore=False)}" if unknown else None
    quote = item.get("text")
    return CharSpan(
        start, end, item.get("label"), item, quote if isinstance(quote, str) else None, problem
    )
