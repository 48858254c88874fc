"""How corpora are read: all that a user can choose."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .errors import CorpusError, unknown_setting
from .schemes import NOTATIONS

DELIMITERS = ("tab", "blank")
OFFSETS = ("characters", "utf16")


@dataclass(frozen=True)
class ReaderSettings:
    """ReaderSettings of the readers, each with what it is unless it is given.

    delimiter: of columns, "tab"; "blank" for any run of blanks and tabs; "auto" for the one that
    most lines use. column: the tag's column, counted from 1, or from the end if negative; only if
    it is positive, lines may differ in the columns that they have. token_column: the token's, the
    same way; None is the first, and refused where that holds numbers that count up. scheme: one of
    ``NOTATIONS``, or "auto" for the one that the tags follow. comments: whether lines before a
    sentence that begin with a ``#`` are none of its tokens. tag_names: what tags that are integers
    stand for. ignore: keys of records to pass over. rejected: the key of ``doc.spans`` for spans
    that an annotator rejected; None leaves them out. offsets: what spans are counted in,
    "characters"; "utf16" where an emoji is two; "auto" for what fits their words. merge: sentences
    a Doc.

    Raises ValueError for what there isn't.
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
        if self.delimiter not in ("auto", *DELIMITERS):
            raise unknown_setting("delimiter", ("auto", *DELIMITERS), self.delimiter)
        if self.offsets not in ("auto", *OFFSETS):
            raise unknown_setting("unit of offsets", ("auto", *OFFSETS), self.offsets)
        if self.scheme not in ("auto", *NOTATIONS):
            raise unknown_setting("tag scheme", ("auto", *NOTATIONS), self.scheme)
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
            raise ValueError(f"Expected to put 1 or more sentences into a Doc, got {self.merge}.")

    def refuse_others(self, path: str | Path, format: str, followed: Collection[str]) -> None:
        """Raise CorpusError for settings that a format would pass over in silence."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in followed and value != field.default:
                raise CorpusError(path, cannot_follow(format, field.name, field.default, value))


def cannot_follow(format: str, name: str, default: Any, value: Any) -> str:
    """A format hasn't got what a setting is about."""
    return f"{format} can't follow the setting {name}: expected {default!r}, got {value!r}"
