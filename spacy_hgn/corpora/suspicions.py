"""Files of columns that could be read line by line, and would be misread as a whole."""

import re
from collections.abc import Sequence

from .lines import Line
from .schemes import IOB2
from .sentences import MISSING_TAG

_NUMBER = re.compile(r"\d+")
_RANGE = re.compile(r"\d+[-.]\d+")


class Suspicions:
    """Looks at all sentences of a file for words that are none.

    Comments, where most sentences begin with one. Numbers, where those of most sentences count
    up. Tags, where all words are tags and not all tags are.
    """

    def __init__(self) -> None:
        self._sentences = self._commented = 0
        self._several = self._counting = 0
        self._tags_alone, self._all_tagged = True, True
        self._first: dict[str, Line] = {}

    def look(self, lines: Sequence[Line], words: Sequence[str], tags: Sequence[str]) -> None:
        """Look at a sentence; not at lines that are comments."""
        if not words:
            return
        known = [tag == MISSING_TAG or IOB2.knows(tag) for tag in tags]
        self._sentences += 1
        if looks_like_comment(lines[0]) and not known[0] and len(lines) > 1:
            self._commented += 1
        numbers = [word for word in words if not is_range(word)]
        if len(numbers) > 1:
            self._several += 1
        if len(numbers) > 1 and _count_up(numbers):
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
        """Raise CorpusError where the words are numbers that count up, or tags."""
        if 2 * self._counting > self._several:
            raise self._first["number"].error(
                "the words are numbers that count up, expected words. Name the column that has "
                "them: --token-column 2, and the tag's: --column"
            )
        if self._sentences and self._tags_alone and not self._all_tagged:
            raise self._first["any"].error(
                "the words are tags, expected words. Name the column that has them and the tag's: "
                "--token-column 2 --column 1"
            )


def looks_like_comment(line: Line) -> bool:
    """Whether a line begins with a number sign alone; ``#hashtag`` is a word."""
    return line.text == "#" or line.text.startswith(("# ", "#\t"))


def is_range(cell: str) -> bool:
    """Whether it numbers no token: ``2-3``, a word of two tokens; ``8.1``, one that isn't there."""
    return _RANGE.fullmatch(cell) is not None


def begins_with_number(line: Line) -> bool:
    """Whether the first column of a line has a number."""
    cells = line.text.split(maxsplit=1)
    return len(cells) > 1 and (_NUMBER.fullmatch(cells[0]) is not None or is_range(cells[0]))


def _count_up(words: Sequence[str]) -> bool:
    if not all(_NUMBER.fullmatch(word) and len(word) < 10 for word in words):
        return False
    first = int(words[0])
    return all(int(word) == first + i for i, word in enumerate(words))
