"""The error that a corpus raises, told with its place, and what several readers have to say."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

SHOWN = 300
"""Characters of a line that a message shows."""


class CorpusError(ValueError):
    """A corpus that can't be read as it stands.

    path: the file. problem: what is wrong. line: its number, counted from 1, and text: what
    it says, where a single line is to blame. can_be_repaired: whether ``--lenient`` gets by.
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
    """The beginning of a text that is too long for a message."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def expected(what: str, key: str, value: Any) -> str:
    """A key of a record has another value than it should."""
    return f'expected "{key}" {what}, got {shorten(repr(value))}'


def unknown_key(key: str, known: Iterable[str], ignore: bool = True) -> str:
    """A record has a key that its format hasn't. ignore: whether it can be passed over."""
    problem = f'unknown key "{key}", expected one of {", ".join(sorted(known))}'
    if not ignore:
        return problem
    return f"{problem}. If it says nothing about entities, pass it over: --ignore {key}"


def unknown_setting(name: str, choices: Iterable[str], value: Any) -> ValueError:
    """A setting has a value that there isn't."""
    return ValueError(f"Unknown {name}: expected one of {', '.join(choices)}, got {value!r}.")
