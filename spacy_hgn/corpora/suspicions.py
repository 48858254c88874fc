"""Detect files of columns whose lines are valid but whose columns are mistaken."""

import re
from collections.abc import Sequence
from itertools import pairwise

from .lines import Line
from .schemes import IOB2
from .sentences import MISSING_TAG

_NUMBER = re.compile(r"\d+")
_RANGE = re.compile(r"\d+[-.]\d+")


class Suspicions:
    """Checks all sentences of a file for words that aren't words.

    Comments: if most sentences begin with one. Numbers: if they count up in most sentences,
    and so words of which most sentences have but one. Tags: if all words are tags, but not all tags
    are.
    """

    def __init__(self) -> None:
        self._sentences = self._commented = 0
        self._several = self._counting = 0
        self._tags_alone, self._all_tagged = True, True
        self._first: dict[str, Line] = {}

    def look(self, lines: Sequence[Line], words: Sequence[str], tags: Sequence[str]) -> None:
        """Check a sentence, without comment lines."""
        if not words:
            return
        known = [tag == MISSING_TAG or IOB2.knows(tag) for tag in tags]
        self._sentences += 1
        if looks_like_comment(lines[0]) and not known[0] and len(lines) > 1:
            self._commented += 1
        numbers = [word for word in words if not is_range(word)]
        if len(numbers) > 1:
            self._several += 1
            has_others = len(lines[0].text.split()) > 2  # which may be the words
            if (has_others and len(set(numbers)) == 1) or _count_up(numbers):
                self._counting += 1
                self._first.setdefault("number", lines[0])
        self._first.setdefault("any", lines[0])
        self._tags_alone &= all(map(IOB2.knows, words))
        self._all_tagged &= all(known)

    @property
    def finds_comments(self) -> bool:
        """Whether most sentences begin with a line that looks like a comment and has no tag."""
        return 2 * self._commented > self._sentences

    def raise_words(self) -> None:
        """Raise CorpusError if the words are numbers that count up, or tags."""
        if 2 * self._counting > self._several:
            raise self._first["number"].error(
                "the words are numbers that count up, or the same all through a sentence, expected "
                "words. Set the column of the words: --token-column 2, and that of the tags: "
                "--column"
            )
        if self._sentences and self._tags_alone and not self._all_tagged:
            raise self._first["any"].error(
                "the words are tags, expected words. Set the columns of words and tags: "
                "--token-column 2 --column 1"
            )


def looks_like_comment(line: Line) -> bool:
    """Whether a line begins with a number sign alone; ``#hashtag`` is a word."""
    return line.text == "#" or line.text.startswith(("# ", "#\t"))


def is_range(cell: str) -> bool:
    """Whether a number isn't of one token: ``2-3`` is several tokens, ``8.1`` an empty one."""
    return _RANGE.fullmatch(cell) is not None


def begins_with_number(line: Line) -> bool:
    """Whether the first column of a line has a number."""
    cells = line.text.split(maxsplit=1)
    return len(cells) > 1 and (_NUMBER.fullmatch(cells[0]) is not None or is_range(cells[0]))


def _count_up(words: Sequence[str]) -> bool:
    if not all(_NUMBER.fullmatch(word) and len(word) < 10 for word in words):
        return False
    return all(int(word) < int(after) for word, after in pairwise(words))
