"""CoNLL-2012, the columns of OntoNotes 5: entities are brackets around tokens."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace
from pathlib import Path

from .columns import split_line
from .docs import make_docs
from .lines import Line, read_lines
from .reading import Format, Reading, Sample, Task
from .repairs import Repairs, repair_or_raise
from .schemes import is_label
from .sentences import (
    MISSING_TAG,
    UNREAD,
    Notation,
    Sentence,
    Tag,
    TaggedSentence,
    TokenSpan,
    resolve,
)

BEGIN = "#begin document"
END = "#end document"
FILE_PATTERN = "*gold_conll"
"""``x.v4_gold_conll`` of the shared task, ``x.gold_conll`` of the release in columns."""

WORD = 3
NAME = 10
MIN_COLUMNS = 12
"""Document, part, number, word, POS, parse, lemma, frameset, sense, speaker, name, and,
after the arguments of any number of predicates, coreference."""

SKELETON = "[WORD]"
"""The placeholder for each word in files without OntoNotes's text."""

WITHOUT_NAMES = "pt/nt/"
"""OntoNotes's documents of the New Testament, in which names aren't annotated."""

_CELL = re.compile(r"(?:\(([^()*]+))?(\*?)(\)?)")


class Brackets(Notation):
    """``(PERSON*``, ``*``, ``*)``: an entity's first, middle and last token; ``(GPE)`` alone."""

    name = "CoNLL-2012"
    expected = "(LABEL*, *, *) or (LABEL), or - for a missing one"

    def knows(self, tag: str) -> bool:
        """Whether it is a valid cell of the column of names."""
        match = _CELL.fullmatch(tag)
        if match is None:
            return False
        label, star, close = match.groups()
        if label is None:
            return bool(star)
        return is_label(label) and bool(star) != bool(close)

    def parse(self, tag: str) -> Tag | None:
        """A closing bracket without an opening one is ignored."""
        match = _CELL.fullmatch(tag)
        return None if match is None else Tag(match[1] is not None, match[1], not match[3])

    def write(self, entities: Sequence[TokenSpan], length: int) -> list[str]:
        """The cells for ``length`` tokens, given their entities in order."""
        cells = ["*"] * length
        for start, end, label in entities:
            cells[start] = f"({label}*"
            cells[end - 1] = "*)" if end - start > 1 else f"({label})"
        return cells

    def unsure(
        self, entities: Sequence[TokenSpan], tags: Sequence[str], unread: Set[int]
    ) -> set[int]:
        """Also those after an unread cell up to a closing bracket without an opening one."""
        found = super().unsure(entities, tags, unread)
        for first in unread:
            last = first + 1
            while last < len(tags) and tags[last] == "*":
                last += 1
            if last < len(tags) and tags[last] == "*)":
                found.update(range(first + 1, last + 1))
        return found


def read_conll2012(path: str | Path, repairs: Repairs = None) -> Iterator[Sentence]:
    """Read a ``*gold_conll`` file. Every part of a document counts as a document.

    In OntoNotes's New Testament, in which names aren't annotated, ``*`` is a missing tag.

    repairs: a list to add repairs to; without one, every bad line is an error.

    Yields the sentences in order. Raises CorpusError with the file, the line and its text for
    invalid lines, and for a document without its end, as in a truncated file.
    """
    starts_document = True
    for rows, begins in _split(path, repairs):
        starts_document |= begins
        sentence = _read_sentence(rows, starts_document, repairs)
        if sentence.words:
            yield resolve(sentence, Brackets(), repairs)
            starts_document = False


def _split(path: str | Path, repairs: Repairs) -> Iterator[tuple[list[Line], bool]]:
    """The rows of each sentence, and whether it begins a document."""
    rows: list[Line] = []
    is_open = has_begun = False
    last = Line(Path(path), 1, "")
    for last in read_lines(path):
        begins, ends = last.text.startswith(BEGIN), last.text.startswith(END)
        if not (begins or ends or last.is_blank):
            rows.append(last)
            continue
        if rows:
            yield rows, has_begun
            rows, has_begun = [], False
        has_begun |= begins
        if begins and is_open:
            repair_or_raise(repairs, last, f"expected {END} before it", f"{END} {last.text}")
        is_open = begins or (is_open and not ends)
    if rows:
        yield rows, has_begun
    if is_open:
        repair_or_raise(repairs, last, f"expected {END} after it", f"{last.text} {END}")


def _read_sentence(
    lines: Sequence[Line], starts_document: bool, repairs: Repairs
) -> TaggedSentence:
    """Read the rows of a sentence, which must all have the same number of columns.

    In a row with another number, a cell is missing and others are in its place.
    """
    sentence = TaggedSentence([], [], [], starts_document)
    rows = [split_line(line.text, "blank") for line in lines]
    widths = Counter(map(len, rows))
    width = max(MIN_COLUMNS, max(widths, key=lambda width: (widths[width], width)))
    for line, cells in zip(lines, rows):
        word = cells[WORD] if len(cells) > WORD else ""
        if word == SKELETON:
            raise line.error("expected a word, got [WORD]: fill in the words of OntoNotes first")
        is_whole = len(cells) == width
        if not is_whole:
            problem = f"expected {width} columns, got {len(cells)}"
            repair_or_raise(repairs, line, problem, f"{word} {MISSING_TAG}" if word else "")
        if word:
            sentence.words.append(word)
            sentence.tags.append(cells[NAME] if is_whole else UNREAD)
            sentence.lines.append(line)
    if rows[0][0].startswith(WITHOUT_NAMES) and set(sentence.tags) == {"*"}:
        return replace(sentence, tags=[MISSING_TAG] * len(sentence.tags))
    return sentence


def _read(path: Path, task: Task) -> Reading:
    found = f"names in column {NAME + 1}, in brackets"
    if any(line.text.startswith(WITHOUT_NAMES) for line in read_lines(path)):
        found += f", not annotated in {WITHOUT_NAMES}"
    return Reading(found, make_docs(read_conll2012(path, task.repairs), task))


def _fits(sample: Sample) -> bool:
    return sample.path.name.endswith("_conll") or sample.first.startswith(BEGIN)


CONLL2012 = Format("conll2012", _read, _fits, frozenset({"merge"}))
"""Its column and notation of names are fixed."""
