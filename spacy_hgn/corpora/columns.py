"""Columns, and CoNLL-2003: one token and its tag per line, a blank line between sentences."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from .docs import make_docs
from .lines import BLANKS, Line, read_lines
from .reading import Format, Reading, Sample, Task
from .repairs import Repairs, repair_or_raise
from .schemes import IOB2, NOTATIONS, find_scheme
from .sentences import MISSING_TAG, UNREAD, Notation, Sentence, TaggedSentence, resolve
from .settings import DELIMITERS, ReaderSettings
from .suspicions import Suspicions, begins_with_number, is_range, looks_like_comment

_DOCSTART = re.compile(r"[ \t]*-DOCSTART-(?=[ \t]|$)")
_NEWDOC = "# newdoc"
"""The beginning of a document in CoNLL-U."""


class SentenceLines(NamedTuple):
    """The lines of a sentence. comments: lines before its first token."""

    lines: list[Line]
    comments: list[Line]
    starts_document: bool


@dataclass(frozen=True)
class Layout:
    """The layout of columns.

    delimiter: "tab", or "blank" for any run of blanks and tabs. token, tag: the columns of token
    and tag, from 0. width: the number of columns per line, or None if it may vary. numbered:
    whether the first column counts the tokens of a sentence.
    """

    delimiter: str
    token: int
    tag: int
    width: int | None
    numbered: bool = False

    def word_in(self, cells: Sequence[str]) -> str:
        """The token on a line, or "" if there is none."""
        return cells[self.token] if self.token < len(cells) else ""

    def tag_in(self, cells: Sequence[str]) -> str:
        """The tag on a line, or UNREAD if the line is invalid."""
        return UNREAD if self.problem_with(cells) else cells[self.tag]

    def problem_with(self, cells: Sequence[str]) -> str | None:
        """An error message for a line's cells; None if they are valid."""
        if self.numbered and is_range(cells[0]):
            return f"row {cells[0]} isn't one token, but several or none"
        if self.token < len(cells) and not cells[self.token]:
            return "missing token"
        if self.width is not None and len(cells) != self.width:
            return f"expected {self.width} columns split by {self.delimiter}, got {len(cells)}"
        if len(cells) <= max(self.token, self.tag):
            least = max(self.token, self.tag) + 1
            return f"expected at least {least} columns split by {self.delimiter}, got {len(cells)}"
        return None

    def describe(self) -> str:
        """The layout in words."""
        token = f"token in column {self.token + 1}, " if self.token else ""
        return f"split by {self.delimiter}, {token}tag in column {self.tag + 1}"


def read_columns(path: Path, task: Task) -> tuple[str, Iterator[Sentence]]:
    """Read a file with one token and its tag per line, in any two columns.

    Blank lines separate sentences, ``-DOCSTART-`` lines documents. If most sentences begin with
    comments, these are skipped, as with the setting ``comments``. The file is read three times
    instead of being held in memory: for its layout, for its scheme, and for its sentences.

    Returns the layout and scheme in words, and the sentences in order. Raises CorpusError with the
    file, the line and its text: at once if the file as a whole can't be read, otherwise while
    iterating over the sentences.
    """
    settings = task.settings
    blocks = _LinesBySentence(path, settings.comments)
    layout = find_layout((line for block in blocks for line in block.lines), settings)
    if layout is None:
        return "no tokens", iter(())
    notation, suspicions = _find_notation(blocks, layout, settings)
    if suspicions.finds_comments and not settings.comments:
        return read_columns(path, replace(task, settings=replace(settings, comments=True)))
    if settings.token_column is None:
        suspicions.raise_words()
    tagged = _read_sentences(blocks, layout, task)
    sentences = (resolve(sentence, notation, task.repairs) for sentence in tagged)
    return f"{layout.describe()}, {notation.name}", sentences


def find_layout(content: Iterable[Line], settings: ReaderSettings) -> Layout | None:
    """Detect the layout from the majority of the lines with tokens; None if there are no lines.

    Raises CorpusError if most lines don't have the columns.
    """
    widths: dict[str, Counter[int]] = {delimiter: Counter() for delimiter in DELIMITERS}
    examples: dict[tuple[str, int], Line] = {}
    n_lines = n_tabs = n_numbered = 0
    for line in content:
        n_lines += 1
        n_tabs += "\t" in line.text.strip(BLANKS)
        n_numbered += begins_with_number(line)
        for delimiter, counted in widths.items():
            width = len(split_line(line.text, delimiter))
            counted[width] += 1
            examples.setdefault((delimiter, width), line)
    if not n_lines:
        return None
    delimiter = settings.delimiter
    if delimiter == "auto":
        delimiter = "tab" if 2 * n_tabs >= n_lines else "blank"
    counted = widths[delimiter]
    width = max(counted, key=lambda width: (counted[width], width))
    layout = _lay_out(delimiter, width, settings, examples[delimiter, width])
    return replace(layout, numbered=layout.token > 0 and 2 * n_numbered > n_lines)


def _lay_out(delimiter: str, width: int, settings: ReaderSettings, example: Line) -> Layout:
    """The layout for lines with ``width`` columns, such as the example."""
    columns = settings.token_column or 1, settings.column
    token, tag = (column - 1 if column > 0 else width + column for column in columns)
    if width == 1 or not (0 <= token < width and 0 <= tag < width):
        needed = max(2, *map(abs, columns))
        problem = f"expected at least {needed} columns split by {delimiter}, got {width}"
        raise example.error(problem)
    if token == tag:
        raise example.error(f"token and tag would both be column {token + 1} of {width}")
    return Layout(delimiter, token, tag, width=None if min(columns) > 0 else width)


def split_line(text: str, delimiter: str) -> list[str]:
    """The cells of a line, stripped."""
    if delimiter == "tab":
        return [cell.strip(BLANKS) for cell in text.rstrip(BLANKS).split("\t")]
    return re.split("[ \t]+", text.strip(BLANKS))


class _LinesBySentence:
    """The sentences of a file, which can be read several times."""

    def __init__(self, path: Path, comments: bool) -> None:
        self.path = path
        self.comments = comments

    def __iter__(self) -> Iterator[SentenceLines]:
        lines: list[Line] = []
        comments: list[Line] = []
        starts_document = True
        for line in read_lines(self.path):
            is_docstart = bool(_DOCSTART.match(line.text))
            if is_docstart or line.is_blank:
                if lines:
                    yield SentenceLines(lines, comments, starts_document)
                    lines, comments, starts_document = [], [], False
                starts_document |= is_docstart
            elif self.comments and not lines and looks_like_comment(line):
                comments.append(line)
                starts_document |= line.text.startswith(_NEWDOC)
            else:
                lines.append(line)
        if lines or comments:
            yield SentenceLines(lines, comments, starts_document)


def _find_notation(
    blocks: Iterable[SentenceLines], layout: Layout, settings: ReaderSettings
) -> tuple[Notation, Suspicions]:
    """The scheme, set or detected, and suspicions about the words."""
    suspicions = Suspicions()

    def read_tags() -> Iterator[list[str]]:
        for lines, _, _ in blocks:
            rows = [split_line(line.text, layout.delimiter) for line in lines]
            tags = list(map(layout.tag_in, rows))
            suspicions.look(lines, list(map(layout.word_in, rows)), tags)
            yield tags

    found = find_scheme(read_tags())
    return found if settings.scheme == "auto" else NOTATIONS[settings.scheme], suspicions


def _read_sentences(
    blocks: Iterable[SentenceLines], layout: Layout, task: Task
) -> Iterator[TaggedSentence]:
    starts_document = False
    for block in blocks:
        for comment in block.comments:
            _check_comment(comment, layout)
        if block.comments:
            task.counts["comments, passed over"] += len(block.comments)
        starts_document |= block.starts_document
        sentence = TaggedSentence([], [], [], starts_document)
        for line in block.lines:
            _add_token(sentence, line, layout, task.repairs)
        if sentence.words:
            yield sentence
            starts_document = False


def _add_token(sentence: TaggedSentence, line: Line, layout: Layout, repairs: Repairs) -> None:
    cells = split_line(line.text, layout.delimiter)
    problem, word = layout.problem_with(cells), layout.word_in(cells)
    if layout.numbered and is_range(cells[0]):
        word = ""
    if problem is not None:
        hint = ". If it is a comment, skip such lines with --comments"
        problem += hint if looks_like_comment(line) else ""
        repair_or_raise(repairs, line, problem, became=f"{word} {MISSING_TAG}" if word else "")
    if word:
        sentence.words.append(word)
        sentence.tags.append(layout.tag_in(cells))
        sentence.lines.append(line)


def _check_comment(line: Line, layout: Layout) -> None:
    """Raise CorpusError for a comment that might be a token."""
    tag = layout.tag_in(split_line(line.text, layout.delimiter))
    if tag == MISSING_TAG or IOB2.knows(tag):
        raise line.error("ambiguous line: it may be a comment or the token #")


def _read(path: Path, task: Task) -> Reading:
    found, sentences = read_columns(path, task)
    return Reading(found, make_docs(sentences, task))


def _has_docstart(sample: Sample) -> bool:
    return any(_DOCSTART.match(line.text) for line in read_lines(sample.path))


_FOLLOWS = frozenset({"delimiter", "column", "token_column", "scheme", "comments", "merge"})
CONLL2003 = Format("conll2003", _read, _has_docstart, _FOLLOWS)
COLUMNS = Format("columns", _read, lambda sample: True, _FOLLOWS)
"""The format of files that match no other format."""
