"""Turn texts and their character spans into Docs, for all formats."""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, Span

from .errors import shorten
from .lines import Line
from .reading import Format, Reading, Sample, Task
from .records import BadRecord, Record, read_each
from .repairs import repair_or_raise
from .schemes import is_label
from .spans import BadSpan, CharSpan, Place, locate, places_of

TRIMMED = "spans trimmed of blanks at their ends"
IN_UTF16 = "spans counted in UTF-16, as JavaScript does"


@dataclass(frozen=True)
class Text:
    """A text. spans: None if it isn't annotated. line: its place.

    is_partial: whether tokens outside the spans are unknown. is_from_javascript: whether it comes
    from a tool that may count an emoji as two characters.
    """

    text: str
    spans: Sequence[CharSpan] | None
    line: Line
    is_partial: bool = False
    is_from_javascript: bool = False


def text_format(
    name: str,
    read: Callable[[Record, Task], Text | None],
    known: Set[str] | None,
    fits: Callable[[Sample], bool],
    *follows: str,
) -> Format:
    """Make a format of records with a text and its spans. known: their keys, if fixed."""

    def read_file(path: Path, task: Task) -> Reading:
        return Reading("", make_text_docs(read_each(path, task, read, known), task))

    return Format(name, read_file, fits, frozenset({"ignore", "offsets", *follows}))


def is_first(line: Line, key: Hashable, spans: Sequence[CharSpan], task: Task) -> bool:
    """Whether this is the first annotation of a text. key: identifies the text in its file.

    Raises BadRecord if an earlier annotation of the text is different.
    """
    places = hash(places_of(spans))
    before, first = task.annotated.setdefault((line.path, repr(key)), (places, line.place))
    if before != places:
        raise BadRecord(f"annotated differently in line {first[0]}: expected one annotation")
    if first == line.place:
        return True
    task.counts["further annotations of a text, the same, left out"] += 1
    return False


def make_text_docs(texts: Iterable[Text], task: Task) -> Iterator[Doc]:
    """Tokenize texts and set their entities. Sentences aren't set."""
    for text in texts:
        problem = None
        if any("\ud800" <= char <= "\udfff" for char in text.text):
            problem = 'expected a "text" of Unicode characters, got half of a surrogate pair'
        doc = None if problem else task.nlp.make_doc(text.text)
        if doc is None or not len(doc):
            problem = problem or 'expected a "text" with tokens, got none'
            repair_or_raise(task.repairs, text.line, problem, became="")
            continue
        _Annotation(doc, text, task).annotate()
        yield doc


@dataclass
class _Annotation:
    """A text's annotation on its Doc.

    labels: of the tokens in entities. unclear: tokens of spans that can't be read.
    """

    doc: Doc
    text: Text
    task: Task
    entities: list[Span] = field(default_factory=list)
    wrong: list[Span] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)
    unclear: set[int] = field(default_factory=set)

    def annotate(self) -> None:
        """Set entities and wrong spans on the Doc."""
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
        settings, place = self.task.settings, None
        try:
            place = locate(given, self.doc.text, settings.offsets, self.text.is_from_javascript)
            span = self._align(given, place)
        except BadSpan as error:
            line, was = given.line or self.text.line, _dump(given.source)
            repair_or_raise(self.task.repairs, line, str(error), became="missing", was=was)
            self.unclear.update(self._tokens_in(*(place or (0, len(self.doc.text)))))
            return
        self.task.counts.update([IN_UTF16] if place != given.place else [])
        if given.is_wrong:
            self.wrong.append(span)
        else:
            self.entities.append(span)
            self.labels.update(dict.fromkeys(range(span.start, span.end), span.label_))

    def _align(self, given: CharSpan, place: Place | None) -> Span:
        """The span on the Doc. Raises BadSpan."""
        text, label = self.doc.text, given.label
        if given.problem:
            raise BadSpan(given.problem)
        if place is None or not is_label(label):
            got = shorten(repr(given.source))
            raise BadSpan(f"expected integers as start and end and a string as label, got {got}")
        start, end = place
        if not 0 <= start < end <= len(text):
            raise BadSpan(
                f"span {start}-{end} ({label}) isn't in the text, which ends at {len(text)}"
            )
        described = f"span {start}-{end} {text[start:end]!r} ({label})"
        if not given.says(text, place):
            raise BadSpan(f"{described} doesn't match its text, {given.quote!r}")
        inside = text[start:end].strip()
        if not inside:
            raise BadSpan(f"{described} has only white space")
        first = start + text[start:end].index(inside)
        tokens = self._tokens_in(first, first + len(inside))
        span = self.doc.char_span(first, first + len(inside), label=label)
        if span is None:
            words = [self.doc[i].text for i in tokens]
            raise BadSpan(f"misaligned {described}, tokens there: {words}")
        overlapped = [self.labels[i] for i in tokens if i in self.labels]
        if overlapped and not given.is_wrong:
            raise BadSpan(f"{described} overlaps an earlier one ({overlapped[0]})")
        self.task.counts.update([TRIMMED] if len(inside) < end - start else [])
        return span

    def _tokens_in(self, start: int, end: int) -> list[int]:
        """The tokens with any of these characters."""
        return [t.i for t in self.doc if t.idx < end and t.idx + len(t) > start]


def _dump(source: Any) -> str:
    was = source if isinstance(source, str) else json.dumps(source, ensure_ascii=False)
    return was.encode(errors="backslashreplace").decode()  # half of a surrogate pair
