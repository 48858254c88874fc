"""CoNLL-2012, the columns of OntoNotes 5: entities are brackets around tokens."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .columns import split_line
from .lines import Line, read_lines
from .repairs import Repairs, repair_or_raise
from .schemes import is_label
from .sentences import MISSING, Entity, Reading, TaggedSentence, resolve

BEGIN = "#begin document"
END = "#end document"
FILE_PATTERN = "*_gold_conll"

WORD = 3
NAME = 10
MIN_COLUMNS = 12
"""Document, part, number, word, POS, parse, lemma, frameset, sense, speaker, name, and,
after the arguments of any number of predicates, coreference."""

SKELETON = "[WORD]"
"""What stands for each word in files without OntoNotes's text."""

WITHOUT_NAMES = "pt/nt/"
"""OntoNotes's documents of the New Testament: nobody annotated their names."""

_CELL = re.compile(r"(?:\(([^()*]+))?(\*?)(\)?)")


class Brackets:
    """``(PERSON*``, ``*``, ``*)``: an entity's first, middle and last token; ``(GPE)`` alone."""

    name = "CoNLL-2012"
    expected = "(LABEL*, *, *) or (LABEL), or - for a missing one"

    def knows(self, tag: str) -> bool:
        """Whether it is a cell of the column of names."""
        match = _CELL.fullmatch(tag)
        if match is None:
            return False
        label, star, close = match.groups()
        if label is None:
            return bool(star)
        return is_label(label) and bool(star) != bool(close)

    def read(self, tags: Sequence[str]) -> list[Entity]:
        """The entities that cells name.

        An entity goes on until it is closed, or another one opens, or the annotation is
        missing; a closing bracket without an opening one closes nothing.
        """
        entities: list[Entity] = []
        is_open = False
        for i, tag in enumerate(tags):
            match = _CELL.fullmatch(tag)
            if match is None:
                is_open = False
                continue
            label, _, close = match.groups()
            if label is not None:
                entities.append((i, i + 1, label))
            elif is_open:
                entities[-1] = (entities[-1][0], i + 1, entities[-1][2])
            is_open = (is_open or label is not None) and not close
        return entities

    def write(self, entities: Sequence[Entity], length: int) -> list[str]:
        """The cells of as many tokens, given their entities in order."""
        cells = ["*"] * length
        for start, end, label in entities:
            cells[start] = f"({label}*"
            cells[end - 1] = "*)" if end - start > 1 else f"({label})"
        return cells


def read_conll2012(path: str | Path, *, repairs: Repairs = None) -> Reading:
    """Read a ``*_gold_conll`` file. Every part of a document is a document of its own.

    In OntoNotes's New Testament, whose names nobody annotated, ``*`` is a missing tag.

    repairs: a list that takes repairs; without one, every bad line is an error.

    Returns the sentences in order.
    Raises CorpusError with the file, the line and its text for what can't be read, and for a
    document without its end, as in a file that was cut off.
    """
    lines = read_lines(path)
    tagged: list[TaggedSentence] = []
    rows: list[Line] = []
    starts_document = True
    is_open = False
    for line in [*lines, Line(Path(path), len(lines) + 1, "")]:
        begins = line.text.startswith(BEGIN)
        ends = line.text.startswith(END)
        if not (begins or ends or line.is_blank):
            rows.append(line)
            continue
        if rows:
            sentence = _read_sentence(rows, starts_document, repairs)
            if sentence.words:
                tagged.append(sentence)
                starts_document = False
            rows = []
        starts_document |= begins
        if begins and is_open:
            repair_or_raise(repairs, line, f"expected {END} before it", f"{END} {line.text}")
        is_open = begins or (is_open and not ends)
    if is_open:
        last = lines[-1]
        repair_or_raise(repairs, last, f"expected {END} after it", f"{last.text} {END}")
    sentences = [resolve(sentence, Brackets(), repairs) for sentence in tagged]
    found = f"names in column {NAME + 1}, in brackets"
    if any(line.text.startswith(WITHOUT_NAMES) for line in lines):
        found += f", not annotated in {WITHOUT_NAMES}"
    return Reading(sentences, found)


def _read_sentence(
    lines: Sequence[Line], starts_document: bool, repairs: Repairs
) -> TaggedSentence:
    """Read the rows of a sentence, which all have as many columns.

    Another number would tell that a cell was lost and that others stand in its place.
    """
    sentence = TaggedSentence([], [], [], starts_document)
    rows = [split_line(line.text, "blank") for line in lines]
    widths = Counter(map(len, rows))
    width = max(MIN_COLUMNS, max(widths, key=lambda width: (widths[width], width)))
    for line, cells in zip(lines, rows):
        word = cells[WORD] if len(cells) > WORD else ""
        if word == SKELETON:
            raise line.error("expected a word, got a skeleton whose words are yet to be filled in")
        is_whole = len(cells) == width
        if not is_whole:
            problem = f"expected {width} columns, got {len(cells)}"
            repair_or_raise(repairs, line, problem, f"{word} {MISSING}" if word else "")
        if word:
            sentence.words.append(word)
            sentence.tags.append(cells[NAME] if is_whole else MISSING)
            sentence.lines.append(line)
    if rows[0][0].startswith(WITHOUT_NAMES) and set(sentence.tags) == {"*"}:
        return replace(sentence, tags=[MISSING] * len(sentence.tags))
    return sentence
