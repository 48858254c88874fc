"""The user's settings for reading corpora."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from spacy_hgn.util.settings import one_of

from .errors import CorpusError
from .schemes import NOTATIONS

DELIMITERS = ("tab", "blank")
OFFSETS = ("characters", "utf16")


@dataclass(frozen=True)
class ReaderSettings:
    """Settings of the readers.

    delimiter: of columns: "tab", "blank" for any run of blanks and tabs, or "auto" for the one in
    most lines. column: the tag's column, from 1, or negative from the end; if both columns are
    positive, lines may have different numbers of columns. token_column: the token's column,
    likewise; None is the first, which is an error if that numbers the tokens. scheme: one of
    ``NOTATIONS``, or "auto" to detect it. comments: whether to skip lines before a sentence that
    begin with ``#``. tag_names: the names of integer tags. ignore: keys of records to skip.
    rejected: the key of ``doc.spans`` for rejected spans; None leaves them out. offsets: the unit
    of spans: "characters", "utf16", in which an emoji counts as two, or "auto" for the one that
    matches their text. merge: sentences per Doc.

    Raises ValueError for unknown values.
    """

    delimiter: str = "auto"
    column: int = -1
    token_column: int | None = None
    scheme: str = "auto"
    comments: bool = False
    tag_names: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    rejected: str | None = None
    offsets: str = "auto"
    merge: int = 1

    def __post_init__(self) -> None:
        one_of(("auto", *DELIMITERS), "delimiter", self.delimiter)
        one_of(("auto", *OFFSETS), "unit of offsets", self.offsets)
        one_of(("auto", *NOTATIONS), "tag scheme", self.scheme)
        if self.column == 0 or self.token_column == 0:
            raise ValueError(
                "Unknown column: expected 1 or more, counted from 1, or a negative number, counted "
                "from the end; got 0."
            )
        if self.column == (self.token_column or 1):
            raise ValueError(
                f"The tag can't be in the token's column: expected two columns, got {self.column} "
                "for both."
            )
        if self.merge < 1:
            raise ValueError(f"merge: expected 1 or more sentences per Doc, got {self.merge}.")

    def refuse_others(self, path: str | Path, format: str, followed: Collection[str]) -> None:
        """Raise CorpusError for settings that a format would silently ignore."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in followed and value != field.default:
                raise CorpusError(path, cannot_follow(format, field.name, field.default, value))


def cannot_follow(format: str, name: str, default: Any, value: Any) -> str:
    """The message for a setting that a format doesn't support."""
    return f"{format} doesn't support the setting {name}: expected {default!r}, got {value!r}"
