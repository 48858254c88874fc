"""Columns, and CoNLL-2003: a token and its tag a line, a blank line between sentences."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .lines import BLANKS, Line, read_lines
from .repairs import Repairs, repair_or_raise
from .schemes import SCHEMES, find_scheme
from .sentences import MISSING, Reading, TaggedSentence, resolve

DELIMITERS = ("tab", "blank")

_DOCSTART = re.compile(r"[ \t]*-DOCSTART-(?=[ \t]|$)")


@dataclass(frozen=True)
class Layout:
    """How a line's columns lie.

    delimiter: "tab", or "blank" for any run of blanks and tabs. column: place of the tag,
    counted from 0. width: how many columns a line has, None if it may have any number that
    reaches the tag.
    """

    delimiter: str
    column: int
    width: int | None

    def problem_with(self, cells: Sequence[str]) -> str | None:
        """What is wrong with a line's cells, if anything."""
        if not cells[0]:
            return "missing token"
        if self.width is not None and len(cells) != self.width:
            return f"expected {self.width} columns split by {self.delimiter}, got {len(cells)}"
        if len(cells) <= self.column:
            expected = f"expected at least {self.column + 1} columns split by {self.delimiter}"
            return f"{expected}, got {len(cells)}"
        return None


def read_columns(
    path: str | Path,
    *,
    delimiter: str = "auto",
    column: int = -1,
    scheme: str = "auto",
    repairs: Repairs = None,
) -> Reading:
    """Read a file whose first column is the token and one of whose others is the tag.

    Blank lines separate sentences, ``-DOCSTART-`` lines documents.

    delimiter: "tab"; "blank" for any run of blanks and tabs; "auto" for the one that most
    lines use. column: the tag's column, counted from 1, or from the end if negative; only
    if it is positive, lines may differ in the columns that they have. scheme: one of
    ``SCHEMES``, or "auto" for the one that the tags follow. repairs: a list that takes
    repairs; without one, every bad line is an error.

    Returns the sentences in order.
    Raises CorpusError with the file, the line and its text for what can't be read, and
    ValueError for settings that don't exist.
    """
    _check_settings(delimiter, column, scheme)
    lines = read_lines(path)
    content = [line for line in lines if not line.is_blank and not _DOCSTART.match(line.text)]
    if not content:
        return Reading([], "no tokens")
    layout = find_layout(content, delimiter, column)
    tagged = list(_read_sentences(lines, layout, repairs))
    if scheme == "auto":
        notation = find_scheme(sentence.tags for sentence in tagged)
    else:
        notation = SCHEMES[scheme]
    sentences = [resolve(sentence, notation, repairs) for sentence in tagged]
    found = f"split by {layout.delimiter}, tag in column {layout.column + 1}, {notation.name}"
    return Reading(sentences, found)


def find_layout(content: Sequence[Line], delimiter: str = "auto", column: int = -1) -> Layout:
    """Find out how the columns lie, by the majority of the lines that have tokens.

    Raises CorpusError if most lines don't have the column.
    """
    if delimiter == "auto":
        with_tab = sum("\t" in line.text.strip(BLANKS) for line in content)
        delimiter = "tab" if 2 * with_tab >= len(content) else "blank"
    widths = Counter(len(split_line(line.text, delimiter)) for line in content)
    width = max(widths, key=lambda width: (widths[width], width))
    place = column - 1 if column > 0 else width + column
    if not 0 < place < width:
        needed = max(2, abs(column))
        problem = f"expected at least {needed} columns split by {delimiter}, got {width}"
        short = (line for line in content if len(split_line(line.text, delimiter)) == width)
        raise next(short).error(problem)
    return Layout(delimiter, place, width=None if column > 0 else width)


def split_line(text: str, delimiter: str) -> list[str]:
    """The cells of a line, without blanks around them."""
    if delimiter == "tab":
        return [cell.strip(BLANKS) for cell in text.rstrip(BLANKS).split("\t")]
    return re.split("[ \t]+", text.strip(BLANKS))


def has_docstart(lines: Sequence[Line]) -> bool:
    """Whether ``-DOCSTART-`` lines separate documents, as in CoNLL-2003."""
    return any(_DOCSTART.match(line.text) for line in lines)


def _read_sentences(
    lines: Sequence[Line], layout: Layout, repairs: Repairs
) -> Iterator[TaggedSentence]:
    sentence = TaggedSentence([], [], [], starts_document=True)
    for line in lines:
        is_docstart = bool(_DOCSTART.match(line.text))
        if not is_docstart and not line.is_blank:
            _add_token(sentence, line, layout, repairs)
            continue
        starts_document = is_docstart
        if sentence.words:
            yield sentence
        else:
            starts_document |= sentence.starts_document
        sentence = TaggedSentence([], [], [], starts_document)
    if sentence.words:
        yield sentence


def _add_token(sentence: TaggedSentence, line: Line, layout: Layout, repairs: Repairs) -> None:
    cells = split_line(line.text, layout.delimiter)
    problem = layout.problem_with(cells)
    if problem is not None:
        became = f"{cells[0]} {MISSING}" if cells[0] else ""
        repair_or_raise(repairs, line, problem, became)
    if cells[0]:
        sentence.words.append(cells[0])
        sentence.tags.append(cells[layout.column] if problem is None else MISSING)
        sentence.lines.append(line)


def _check_settings(delimiter: str, column: int, scheme: str) -> None:
    if delimiter not in ("auto", *DELIMITERS):
        expected = ", ".join(("auto", *DELIMITERS))
        raise ValueError(f"Unknown delimiter: expected one of {expected}, got {delimiter!r}.")
    if column in (0, 1):
        raise ValueError(
            "The tag can't be in the token's column: expected 2 or more, counted from 1, or "
            f"a negative number, counted from the end; got {column}."
        )
    if scheme not in ("auto", *SCHEMES):
        expected = ", ".join(("auto", *SCHEMES))
        raise ValueError(f"Unknown tag scheme: expected one of {expected}, got {scheme!r}.")
