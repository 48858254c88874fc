"""Character spans in files: ``{"start": 0, "end": 8, "label": "PER"}``."""

from collections.abc import Sequence, Set
from typing import Any, NamedTuple

from .errors import shorten, unknown_key
from .lines import Line

START_END = ("start", "end")
MORE = frozenset(
    {"text", "token_start", "token_end", "score", "source", "priority", "pattern", "rank"}
    | {"id", "kb_id", "input_hash"}
)
"""Other keys of a span, which are ignored, except that its text is compared."""


Place = tuple[int, int]
"""A span's first character, and the one after its last."""


class BadSpan(ValueError):
    """An invalid span. It is an error, or its tokens are missing."""


class CharSpan(NamedTuple):
    """A span in a file, with values of any type.

    source: the original value. quote: its text, if the file has it. problem: why it can't be read.
    is_wrong: whether it is known not to be an entity. line: its place, if not that of its text.
    """

    start: Any
    end: Any
    label: Any
    source: Any
    quote: str | None = None
    problem: str | None = None
    is_wrong: bool = False
    line: Line | None = None

    @property
    def place(self) -> Place | None:
        """Start and end, if they are valid."""
        given = type(self.start) is int and type(self.end) is int
        return (self.start, self.end) if given else None

    def says(self, text: str, place: Place) -> bool:
        """Whether the text at a place matches the span's quote."""
        return self.quote is None or _squeeze(self.quote) == _squeeze(text[slice(*place)])


def read_spans(
    items: list[Any], names: tuple[str, str] = START_END, more: Set[str] = MORE
) -> list[CharSpan]:
    """The spans of a record: objects, or ``[0, 8, "PER"]``.

    names: the keys of start and end. more: other allowed keys.
    """
    return [_read_span(item, names, more) for item in items]


def _read_span(item: Any, names: tuple[str, str], more: Set[str]) -> CharSpan:
    if isinstance(item, list) and len(item) == 3:
        return CharSpan(item[0], item[1], item[2], item)
    if not isinstance(item, dict):
        got = shorten(repr(item))
        problem = f"expected [start, end, label] or an object with these, got {got}"
        return CharSpan(None, None, None, item, problem=problem)
    known = {*names, "label", *more}
    unknown = [key for key in item if key not in known]
    refused = f"a span with an {unknown_key(unknown[0], known, ignore=False)}" if unknown else None
    quote = item.get("text") if isinstance(item.get("text"), str) else None
    start, end = (item.get(name) for name in names)
    return CharSpan(start, end, item.get("label"), item, quote, refused)


def places_of(spans: Sequence[CharSpan]) -> tuple[tuple[str, str], ...]:
    """Places and labels in order, to compare annotations."""
    return tuple(sorted((repr(span.place), repr(span.label)) for span in spans))


def locate(span: CharSpan, text: str, offsets: str, is_from_javascript: bool) -> Place | None:
    """The place of a span in characters; None if it has none.

    JavaScript counts in UTF-16, in which an emoji counts as two. For a span after an emoji, its
    quote decides. offsets: "characters", "utf16" or "auto". is_from_javascript: whether the unit
    is unknown.

    Raises BadSpan for an ambiguous place, and for one inside an emoji.
    """
    place = span.place
    if place is None or all(char <= "\uffff" for char in text[: max(place)]):
        return place
    other = _from_utf16(text, *place)
    if offsets == "utf16":
        if other is None:
            raise BadSpan(f"span {place[0]}-{place[1]} ({span.label}) isn't in the text in UTF-16")
        return other
    if offsets == "auto" and span.quote is None and is_from_javascript:
        raise BadSpan(
            f"span {place[0]}-{place[1]} ({span.label}) after an emoji, which counts as two "
            "characters in JavaScript: expected --offsets utf16 or --offsets characters"
        )
    if offsets == "auto" and span.quote is not None and other is not None:
        return other if span.says(text, other) and not span.says(text, place) else place
    return place


def _from_utf16(text: str, start: int, end: int) -> Place | None:
    data = text.encode("utf-16-le")
    if not 0 <= start <= end <= len(data) // 2:
        return None
    try:
        return len(data[: 2 * start].decode("utf-16-le")), len(data[: 2 * end].decode("utf-16-le"))
    except UnicodeDecodeError:
        return None


def _squeeze(text: str) -> str:
    """A text with normalized white space, which annotation tools quote in different ways."""
    return " ".join(text.replace("\\n", " ").split())
