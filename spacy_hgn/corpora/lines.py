"""The lines of a UTF-8 file, each with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .errors import CorpusError

BLANKS = " \t\r"
"""White space around tokens and tags. Other kinds, such as U+00A0, belong to them."""

_MARK = "\ufeff".encode()


class Line(NamedTuple):
    """A line without its end, or a record of a file, with its place.

    record: the number of the record, from 1. ``number`` is then the line on which it begins, and
    ``text`` the relevant part of it.
    """

    path: Path
    number: int
    text: str
    record: int | None = None

    @property
    def place(self) -> tuple[int, int | None]:
        """The numbers of line and record."""
        return self.number, self.record

    @property
    def is_blank(self) -> bool:
        """Whether the line is empty or only has blanks."""
        return not self.text.strip(BLANKS)

    def error(self, problem: str) -> CorpusError:
        """An error at this line."""
        place = "" if self.record is None else f"record {self.record}: "
        return CorpusError(self.path, place + problem, self.number, self.text)


def read_lines(path: str | Path) -> Iterator[Line]:
    r"""Read the lines of a file, with or without a byte order mark, one after the other.

    Lines end in ``\n`` or ``\r\n`` and in nothing else.

    Raises CorpusError if the file isn't UTF-8, or has the line ends of old Macs.
    """
    path = Path(path)
    position = 0
    with path.open("rb") as file:
        for number, data in enumerate(file, start=1):
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError as error:
                problem = f"expected UTF-8, got byte 0x{data[error.start]:02x}"
                place = f"at position {position + error.start}"
                raise CorpusError(path, f"{problem} {place}", line=number) from error
            if number == 1:
                text = text.removeprefix("\ufeff")
                if not text.endswith("\n") and "\r" in text.rstrip("\r"):
                    raise CorpusError(path, r"expected lines that end in \n or \r\n, got \r alone")
            position += len(data)
            if text or number > 1:
                yield Line(path, number, text.removesuffix("\n").rstrip("\r"))


def read_text(path: str | Path) -> str:
    """The whole text of a file, with its line ends.

    Raises CorpusError if the file isn't UTF-8.
    """
    data = Path(path).read_bytes().removeprefix(_MARK)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(line.text for line in read_lines(path))  # raises the error with the line


def is_empty(path: str | Path) -> bool:
    """Whether a file has only blanks. Raises CorpusError if it isn't UTF-8."""
    return all(line.is_blank for line in read_lines(path))
