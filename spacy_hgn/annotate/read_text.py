"""Documents from text: a line or a file each, or JSON a line."""

import json
from collections.abc import Iterator
from typing import IO, Any

from .documents import Document, Failure, Read, check_unicode
from .inputs import InputFile
from .settings import Settings
from .survey import BLOCK, Piece

BYTES_A_CHARACTER = 12
"""As many as JSON takes at most, two escapes; what surrounds a text has room beside it."""

BOM = b"\xef\xbb\xbf"


def read_lines(file: InputFile, piece: Piece, max_length: int) -> Iterator[Read]:
    """A document a line that isn't blank."""
    for source, line in _lines(file, piece, max_length):
        if isinstance(line, Failure):
            yield line
        elif line.strip():
            yield Document(source, source, line)


def read_jsonl(
    file: InputFile, piece: Piece, settings: Settings, max_length: int
) -> Iterator[Read]:
    """A document a JSON object, which is on a line; blank lines are passed over."""
    for source, line in _lines(file, piece, max_length):
        if isinstance(line, Failure):
            yield line
        elif line.strip():
            yield _parse(line, source, settings)


def read_file(file: InputFile, piece: Piece, max_length: int) -> Read:
    """A document that is the whole file."""
    if piece.stop > BYTES_A_CHARACTER * max_length:
        return Failure(file.name, file.name, _too_long(piece.stop, max_length))
    text = _decode(file.path.read_bytes().removeprefix(BOM), file.name)
    return text if isinstance(text, Failure) else Document(file.name, file.name, text)


def _lines(file: InputFile, piece: Piece, max_length: int) -> Iterator[tuple[str, str | Failure]]:
    """Where each line of a piece stands, and its text."""
    limit = BYTES_A_CHARACTER * max_length + BLOCK
    number = piece.first
    with file.path.open("rb") as stream:
        stream.seek(piece.start)
        while stream.tell() < piece.stop:
            source = f"{file.name}:{number}"
            line = stream.readline(limit)
            if number == 1:
                line = line.removeprefix(BOM)
            if len(line) == limit and not line.endswith(b"\n"):
                size = limit + _skip_line(stream)
                yield source, Failure(source, source, _too_long(size, max_length))
            else:
                yield source, _decode(line.removesuffix(b"\n").removesuffix(b"\r"), source)
            number += 1


def _skip_line(stream: IO[bytes]) -> int:
    """Go to the end of a line without holding it; its bytes."""
    size = 0
    while block := stream.readline(BLOCK):
        size += len(block)
        if block.endswith(b"\n"):
            break
    return size


def _decode(data: bytes, source: str) -> str | Failure:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"got byte 0x{data[error.start]:02x} at byte {error.start} of it"
        return Failure(source, source, f"expected UTF-8, {found}")


def _parse(line: str, source: str, settings: Settings) -> Read:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Failure(source, source, f"expected JSON, got an error ({error})")
    if not isinstance(record, dict):
        found = type(record).__name__
        return Failure(source, source, f"expected a JSON object, got {found}")
    meta = record.get(settings.meta)
    dumped = None if meta is None else json.dumps(meta, ensure_ascii=False)
    return make_document(
        record.get(settings.id), record.get(settings.text), dumped, source, settings
    )


def make_document(name: Any, text: Any, meta: str | None, source: str, settings: Settings) -> Read:
    """A document from a record's values, or what is wrong with them.

    name: the id; where it is None, the source takes its place.
    """
    if name is not None and type(name) not in (str, int):
        found = f'expected "{settings.id}" to be a string or an integer, got {name!r}'
        return Failure(source, source, found)
    if problem := check_unicode(str(name), text if isinstance(text, str) else None, meta):
        return Failure(source, source, problem)
    document = source if name is None else str(name)
    if not isinstance(text, str):
        found = f'expected "{settings.text}" to be a string, got {_shorten(repr(text))}'
        return Failure(document, source, found)
    return Document(document, source, text, meta)


def _shorten(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _too_long(size: int, max_length: int) -> str:
    return f"expected at most {max_length:,} characters (nlp.max_length), got {size:,} bytes"
