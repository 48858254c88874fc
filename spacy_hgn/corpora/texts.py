"""Texts and their spans of characters, whatever a file calls them, become Docs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spacy.tokens import Doc, Span

from .errors import shorten
from .lines import Line
from .reading import Task
from .repairs import repair_or_raise
from .schemes import is_label

TRIMMED = "spans trimmed of blanks at their ends"


class CharSpan(NamedTuple):
    """A span as a file has it, of any type still.

    source: what stands in the file. quote: the characters that it says it has, if it does.
    problem: why it can't be read. is_wrong: whether it is known not to be an entity. line: where it
    stands, if not where its text does.
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
    def place(self) -> tuple[int, int] | None:
        """Start and end, if it has them."""
        given = type(self.start) is int and type(self.end) is int
        return (self.start, self.end) if given else None


@dataclass(frozen=True)
class Text:
    """A text. spans: None if nobody annotated it. line: where it stands.

    is_partial: whether nothing is known of tokens outside of the spans.
    """

    text: str
    spans: Sequence[CharSpan] | None
    line: Line
    is_partial: bool = False


def make_text_docs(texts: Iterable[Text], task: Task) -> Iterator[Doc]:
    """Tokenize texts and set their entities. Sentences aren't set."""
    for text in texts:
        problem = _problem_with(text.text)
        doc = None if problem else task.nlp.make_doc(text.text)
        if doc is None or not len(doc):
            problem = problem or 'expected a "text" with tokens, got none'
            repair_or_raise(task.repairs, text.line, problem, became="")
            continue
        _Annotation(doc, text, task).annotate()
        yield doc


def _problem_with(text: str) -> str | None:
    if any("\ud800" <= char <= "\udfff" for char in text):
        return 'expected a "text" of Unicode characters, got half of a surrogate pair'
    return None


@dataclass
class _Annotation:
    """What a text's spans are on its Doc.

    labels: of the tokens that are in an entity. unclear: tokens of spans that can't be read.
    """

    doc: Doc
    text: Text
    task: Task
    entities: list[Span] = field(default_factory=list)
    wrong: list[Span] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    unclear: set[int] = field(default_factory=set)

    def annotate(self) -> None:
        """Set entities, and what is known not to be one, on the Doc."""
        for span in sorted(self.text.spans or (), key=lambda span: span.place or (0, 0)):
            self._add(span)
        if self.text.spans is None or self.text.is_partial:
            self.doc.set_ents(self.entities, default="missing")
        else:
            tokens = sorted(self.unclear - set(self.labels))
            self.doc.set_ents(self.entities, missing=[self.doc[i : i + 1] for i in tokens])
        if self.task.settings.rejected and self.wrong:
            self.doc.spans[self.task.settings.rejected] = self.wrong

    def _add(self, given: CharSpan) -> None:
        span = self._find(given)
        if isinstance(span, str):
            line, was = given.line or self.text.line, _dump(given.source)
            repair_or_raise(self.task.repairs, line, span, became="missing", was=was)
            self.unclear.update(self._tokens_in(*(given.place or (0, len(self.doc.text)))))
        elif given.is_wrong:
            self.wrong.append(span)
        else:
            self.entities.append(span)
            self.labels.update(dict.fromkeys(range(span.start, span.end), span.label_))

    def _find(self, given: CharSpan) -> Span | str:
        """The span, or what is wrong with it."""
        text, (start, end, label, *_) = self.doc.text, given
        if given.problem:
            return given.problem
        if given.place is None or not is_label(label):
            got = shorten(repr(given.source))
            return f"expected integers as start and end and a string as label, got {got}"
        if not 0 <= start < end <= len(text):
            return f"span {start}-{end} ({label}) isn't in the text, which ends at {len(text)}"
        described = f"span {start}-{end} {text[start:end]!r} ({label})"
        if given.quote is not None and _squeeze(given.quote) != _squeeze(text[start:end]):
            return f"{described} isn't what it says that it is, {given.quote!r}"
        inside = text[start:end].strip()
        if not inside:
            return f"{described} has nothing but blanks"
        first = start + text[start:end].index(inside)
        tokens = self._tokens_in(first, first + len(inside))
        span = self.doc.char_span(first, first + len(inside), label=label)
        if span is None:
            return f"misaligned {described}, tokens there: {[self.doc[i].text for i in tokens]}"
        overlapped = [self.labels[i] for i in tokens if i in self.labels]
        if overlapped and not given.is_wrong:
            return f"{described} overlaps one before it ({overlapped[0]})"
        self.task.counts.update([TRIMMED] if len(inside) < end - start else [])
        return span

    def _tokens_in(self, start: int, end: int) -> list[int]:
        """The tokens that have any of these characters."""
        return [t.i for t in self.doc if t.idx < end and t.idx + len(t) > start]


def _squeeze(text: str) -> str:
    """A text as annotation tools quote it: white space may be told in other ways."""
    return " ".join(text.replace("\\n", " ").split())


def _dump(source: Any) -> str:
    was = source if isinstance(source, str) else json.dumps(source, ensure_ascii=False)
    return was.encode(errors="backslashreplace").decode()  # half of a surrogate pair
