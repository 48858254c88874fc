"""One look at a whole input file: its digest, and where it can be cut into pieces."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy

from .inputs import InputFile
from .tables import unreadable

MAX_BYTES = 1 << 25
"""Input bytes in a piece, at most, as long as it has several documents: bounds the memory."""

BLOCK = 1 << 20
NEWLINE = ord("\n")


@dataclass(frozen=True)
class Piece:
    """Documents of a file that follow each other.

    start, stop: bytes, or of Parquet rows. first: the number of the first line, from 1.
    documents: how many, as far as can be told without reading them. size: about its bytes.
    """

    start: int
    stop: int
    first: int
    documents: int
    size: int


@dataclass(frozen=True)
class Survey:
    """A file as it was found. modified: its time stamp in nanoseconds."""

    size: int
    modified: int
    digest: str
    pieces: list[Piece]


def survey(file: InputFile, unit: str, limit: int) -> Survey:
    """Read a file once. unit: "line" or "file", what a document is in text. limit: documents
    in a piece, at most."""
    stat = file.path.stat()
    digest = hashlib.sha256()
    if file.format == "jsonl" or (file.format == "text" and unit == "line"):
        pieces = list(_cut_lines(file.path, limit, digest))
    else:
        for block in read_blocks(file.path):
            digest.update(block)
        # How many a DocBin holds isn't known: it is a shard of its own.
        documents = limit if file.format == "docbin" else 1
        pieces = [Piece(0, stat.st_size, 1, documents, stat.st_size)]
    if file.format == "parquet":
        pieces = _cut_rows(file.path, limit, pieces)
    elif file.format == "docbin" and not stat.st_size:
        pieces = []
    return Survey(stat.st_size, stat.st_mtime_ns, digest.hexdigest(), pieces)


def read_blocks(path: Path) -> Iterator[bytes]:
    """A file's bytes, a block at a time."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _cut_lines(path: Path, limit: int, digest: "hashlib._Hash") -> Iterator[Piece]:
    """Cut behind line ends, at so many lines or bytes."""
    start, line = 0, 0  # of the piece that isn't cut off yet
    position, lines = 0, 0  # up to here the file is read
    for block in read_blocks(path):
        digest.update(block)
        ends = position + 1 + numpy.flatnonzero(numpy.frombuffer(block, "uint8") == NEWLINE)
        while True:
            by_lines = line + limit - lines - 1
            by_bytes = int(numpy.searchsorted(ends, start + MAX_BYTES))
            i = min(by_lines, by_bytes)
            if i >= len(ends):
                break
            stop = int(ends[i])
            yield Piece(start, stop, line + 1, lines + i + 1 - line, stop - start)
            start, line = stop, lines + i + 1
        position += len(block)
        lines += len(ends)
        is_open = not block.endswith(b"\n")  # the last line may lack its end
    if position > start:
        yield Piece(start, position, line + 1, lines - line + is_open, position - start)


def _cut_rows(path: Path, limit: int, whole: list[Piece]) -> list[Piece]:
    """Cut Parquet by its rows; a file that can't be read stays whole, to fail as one."""
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            rows = file.metadata.num_rows
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    except (ValueError, OSError) as error:
        if not unreadable(error):
            raise
        return whole
    size = sum(group.total_byte_size for group in groups)
    step = max(min(limit, MAX_BYTES * rows // max(size, 1)), 1)
    return [
        Piece(start, stop := min(start + step, rows), start + 1, stop - start, size * step // rows)
        for start in range(0, rows, step)
    ]
