"""The error that a corpus raises, told with its place."""

from pathlib import Path

SHOWN = 300
"""Characters of a line that a message shows."""


class CorpusError(ValueError):
    """A corpus that can't be read as it stands.

    path: the file. problem: what is wrong. line: its number, counted from 1, and text: what
    it says, where a single line is to blame.
    """

    def __init__(
        self, path: str | Path, problem: str, line: int | None = None, text: str | None = None
    ) -> None:
        self.path = Path(path)
        self.problem = problem
        self.line = line
        self.text = text
        place = str(path) if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {problem}" + ("" if text is None else f": {_shorten(text)!r}"))


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
