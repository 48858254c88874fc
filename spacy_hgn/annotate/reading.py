"""Read the documents of a shard, in any format."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from spacy.language import Language
from spacy.tokens import DocBin

from ..corpora.docbin import MISREAD
from .documents import Document, Failure, Read, dump_meta, make_document
from .inputs import InputFile, raise_unless_damaged
from .prediction import forget_entities
from .settings import AnnotateSettings
from .shards import MAX_LINE, Piece, Shard

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyarrow.parquet import ParquetFile

BOM = b"\xef\xbb\xbf"

ROWS = 256
"""Parquet rows to read at once."""

ID, META = "id", "meta"
"""Keys in ``doc.user_data``."""


def read_shard(shard: Shard, nlp: Language, settings: AnnotateSettings) -> Iterator[Read]:
    """Yield documents, and a Failure in place of each one that can't be read.

    Raises OSError if the disk fails, and AnnotateError if a file has changed since the start.
    """
    for piece in shard.pieces:
        piece.file.check_unchanged()
        if piece.file.format == "docbin":
            yield from _read_docbin(piece.file, nlp, settings)
        elif piece.file.format == "parquet":
            yield from _read_parquet(piece, settings)
        elif piece.lines:
            yield from _read_lines(piece, settings)
        else:
            is_short = piece.file.size <= MAX_LINE
            name, data = piece.file.name, piece.file.path.read_bytes() if is_short else None
            text = _decode(data, name)
            yield text if isinstance(text, Failure) else Document(name, name, text)


def _read_lines(piece: Piece, settings: AnnotateSettings) -> Iterator[Read]:
    """One document per line, as text or a JSON object; blank lines are skipped."""
    for number, line in enumerate(piece.lines, start=piece.first):
        source = f"{piece.file.name}:{number}"
        text = _decode(line, source, is_begin=number == 1)
        if isinstance(text, Failure):
            yield text
        elif not text.strip():
            continue
        elif piece.file.format == "text":
            yield Document(source, source, text.removesuffix("\n").removesuffix("\r"))
        else:
            yield _parse(text, source, settings)


def _decode(data: bytes | None, source: str, is_begin: bool = True) -> str | Failure:
    """Decode bytes; None means too many bytes. is_begin: whether they are the first of a file."""
    if data is None:
        return Failure(source, source, f"expected a text of at most {MAX_LINE:,} bytes, got more")
    try:
        return (data.removeprefix(BOM) if is_begin else data).decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"got byte 0x{error.object[error.start]:02x} at offset {error.start}"
        return Failure(source, source, f"expected UTF-8, {found}")


def _parse(line: str, source: str, settings: AnnotateSettings) -> Read:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Failure(source, source, f"expected JSON, got an error ({error})")
    return make_document(record, source, settings)


def _read_parquet(piece: Piece, settings: AnnotateSettings) -> Iterator[Read]:
    """One document per row; one Failure for all rows from the first that can't be read."""
    from pyarrow.parquet import ParquetFile

    name, row, last = piece.file.name, piece.first, piece.first + piece.documents - 1
    try:
        with ParquetFile(piece.file.path, pre_buffer=False, buffer_size=1 << 20) as table:
            there = table.schema_arrow.names
            if settings.text not in there:
                problem = f'expected a column "{settings.text}", got {", ".join(there)}'
                yield Failure(name, name, problem)
                return
            columns = [n for n in (settings.text, settings.id, settings.meta) if n in there]
            for record in _read_rows(table, piece, columns):
                yield _make_document(record, f"{name}:{row}", settings)
                row += 1
    except (ValueError, OSError) as error:
        raise_unless_damaged(error)
        source = f"{name}:{row}-{last}" if last > 1 else name
        yield Failure(source, source, f"expected Parquet, got an error ({error})")


def _read_rows(table: "ParquetFile", piece: Piece, columns: list[str]) -> Iterator["RecordBatch"]:
    """The rows of a piece, each as a batch of one, from their row groups."""
    start, stop = piece.first - 1, piece.first - 1 + piece.documents
    end = 0
    for i in range(table.metadata.num_row_groups):
        position, end = end, end + table.metadata.row_group(i).num_rows
        if end <= start or stop <= position:
            continue
        for batch in table.iter_batches(ROWS, row_groups=[i], columns=columns):
            for j in range(max(start - position, 0), min(stop - position, batch.num_rows)):
                yield batch.slice(j, 1)
            position += batch.num_rows
            if position >= stop:
                return


def _make_document(row: "RecordBatch", source: str, settings: AnnotateSettings) -> Read:
    try:
        return make_document(row.to_pylist()[0], source, settings)
    except UnicodeDecodeError as error:
        return Failure(source, source, f"expected UTF-8, got an error ({error})")


def _read_docbin(file: InputFile, nlp: Language, settings: AnnotateSettings) -> Iterator[Read]:
    """One document per Doc; one Failure for all Docs from the first that can't be read."""
    number = 0
    try:
        for number, doc in enumerate(DocBin().from_disk(file.path).get_docs(nlp.vocab), start=1):
            source = f"{file.name}:{number}"
            name, meta = doc.user_data.get(ID, source), doc.user_data.get(META)
            if not settings.keep_entities:
                forget_entities(doc)
            # A string is already JSON, written by ``output``.
            dumped = meta if isinstance(meta, str) else dump_meta(meta)
            yield Document(str(name), source, doc, dumped)
    except MISREAD as error:
        source = f"{file.name}:{number + 1}-" if number else file.name
        yield Failure(source, source, f"expected a .spacy file, got an error ({error!r})")
