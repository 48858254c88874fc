"""The error for corpora, with its place, and messages that several readers share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHOWN = 300
"""Maximum number of characters of a line in a message."""


class CorpusError(ValueError):
    """A corpus can't be read.

    path: the file. problem: the reason. line, text: number (from 1) and text of the line, if a
    single line is the cause. can_be_repaired: whether ``--lenient`` can repair it.
    """

    can_be_repaired = False

    def __init__(
        self, path: str | Path, problem: str, line: int | None = None, text: str | None = None
    ) -> None:
        self.path = Path(path)
        self.problem = problem
        self.line = line
        self.text = text
        place = str(path) if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {problem}" + ("" if text is None else f": {shorten(text)!r}"))


def shorten(text: str) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def expected(what: str, key: str, value: Any) -> str:
    """The message for an invalid value of a key."""
    return f'expected "{key}" {what}, got {shorten(repr(value))}'


def unknown_key(key: str, known: Iterable[str], ignore: bool = True) -> str:
    """The message for an unknown key. ignore: whether it can be skipped."""
    problem = f'unknown key "{key}", expected one of {", ".join(sorted(known))}'
    if not ignore:
        return problem
    return f"{problem}. If it has nothing to do with entities, skip it: --ignore {key}"
