"""Inputs cut into shards. A shard is annotated completely or not at all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from .inputs import InputFile, raise_unless_damaged
from .settings import AnnotateSettings

MAX_BYTES = 1 << 25
"""Maximum input bytes in a shard of several documents, to bound the memory."""

MAX_LINE = 1 << 28
"""Maximum bytes of a document in text or JSONL; longer ones aren't read into memory."""


@dataclass(frozen=True)
class Piece:
    """Consecutive documents of a file.

    first: the number of the first line or row, from 1. documents: how many, as far as known
    without reading them. size: the approximate number of bytes. lines: of text and JSONL, which
    are read only once; None is a line that is too long. Other formats are read when they are
    annotated.
    """

    file: InputFile
    first: int
    documents: int
    size: int
    lines: Sequence[bytes | None] = ()


@dataclass(frozen=True)
class Shard:
    """Documents whose annotation goes into one file. number: from 0. documents, size: sums."""

    number: int
    pieces: Sequence[Piece]
    documents: int
    size: int

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.number:07}"


def cut_shards(files: Sequence[InputFile], settings: AnnotateSettings) -> Iterator[Shard]:
    """Cut files into shards of at most ``shard_size`` documents, in order and reproducibly.

    Raises OSError if a disk fails.
    """
    number, documents, size = 0, 0, 0
    pieces: list[Piece] = []
    for piece in chain.from_iterable(_cut(file, settings) for file in files):
        is_full = documents + piece.documents > settings.shard_size or size + piece.size > MAX_BYTES
        if pieces and is_full:
            yield Shard(number, pieces, documents, size)
            number, documents, size, pieces = number + 1, 0, 0, []
        pieces.append(piece)
        documents, size = documents + piece.documents, size + piece.size
    if pieces:
        yield Shard(number, pieces, documents, size)


def _cut(file: InputFile, settings: AnnotateSettings) -> Iterator[Piece]:
    limit = settings.shard_size
    if file.format == "jsonl" or (file.format == "text" and settings.unit == "line"):
        yield from _cut_lines(file, limit)
    elif file.format == "parquet":
        yield from _cut_rows(file, limit)
    elif file.format == "text":
        yield Piece(file, 1, 1, file.size)
    elif file.size:  # The number of Docs in a DocBin isn't known, so it is one shard.
        yield Piece(file, 1, limit, file.size)


def _cut_lines(file: InputFile, limit: int) -> Iterator[Piece]:
    """Cut after line ends, at a maximum of lines or bytes."""
    first, size = 1, 0
    lines: list[bytes | None] = []
    with file.path.open("rb") as stream:
        while line := stream.readline(MAX_LINE):
            rest, length = line, len(line)
            while rest and not rest.endswith(b"\n"):  # the line is too long, or the last
                rest = stream.readline(MAX_LINE)
                length += len(rest)
            if lines and (len(lines) == limit or size + length > MAX_BYTES):
                yield Piece(file, first, len(lines), size, lines)
                first, size, lines = first + len(lines), 0, []
            lines.append(line if length <= MAX_LINE else None)
            size += length
    if lines:
        yield Piece(file, first, len(lines), size, lines)


def _cut_rows(file: InputFile, limit: int) -> Iterator[Piece]:
    """Cut Parquet by rows. A file that can't be read becomes one piece, to fail as one."""
    from pyarrow.parquet import read_metadata

    try:
        metadata = read_metadata(file.path)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    except (ValueError, OSError) as error:
        raise_unless_damaged(error)
        yield Piece(file, 1, 1, file.size)
        return
    rows, size = metadata.num_rows, sum(group.total_byte_size for group in groups)
    step = max(min(limit, MAX_BYTES * rows // max(size, 1)), 1)
    for start in range(0, rows, step):
        documents = min(step, rows - start)
        yield Piece(file, start + 1, documents, file.size * documents // rows)
