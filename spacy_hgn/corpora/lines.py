"""The lines of a UTF-8 file, each with its place."""

from pathlib import Path
from typing import NamedTuple

from .errors import CorpusError

BLANKS = " \t\r"
"""What may surround tokens and tags; other white space, as U+00A0 or U+0085, is theirs."""


class Line(NamedTuple):
    """A line without its end, and where it stands."""

    path: Path
    number: int
    text: str

    @property
    def is_blank(self) -> bool:
        """Whether nothing but blanks is on it."""
        return not self.text.strip(BLANKS)

    def error(self, problem: str) -> CorpusError:
        """The error that blames this line."""
        return CorpusError(self.path, problem, self.number, self.text)


def read_lines(path: str | Path) -> list[Line]:
    r"""Read the lines of a file, with or without a byte order mark.

    Lines end in ``\n`` or ``\r\n`` and in nothing else.

    Raises CorpusError where the file isn't UTF-8, or has the line ends of old Macs.
    """
    path = Path(path)
    data = path.read_bytes()
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise CorpusError(
            path,
            f"expected UTF-8, got byte 0x{data[error.start]:02x} at position {error.start}",
            line=data.count(b"\n", 0, error.start) + 1,
        ) from error
    if "\n" not in text and "\r" in text.rstrip("\r"):
        raise CorpusError(path, r"expected lines that end in \n or \r\n, got \r alone")
    texts = text.split("\n")
    if not texts[-1]:
        texts.pop()
    return [Line(path, i, text.rstrip("\r")) for i, text in enumerate(texts, start=1)]
