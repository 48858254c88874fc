"""Documents from the rows of a Parquet file."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .documents import Failure, Read
from .inputs import InputFile
from .read_text import make_document
from .settings import Settings
from .survey import Piece
from .tables import unreadable

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyarrow.parquet import ParquetFile

ROWS = 256
"""Read at once."""


def read_parquet(file: InputFile, piece: Piece, settings: Settings) -> Iterator[Read]:
    """A document a row; one failure for all rows from the first that can't be read."""
    from pyarrow.parquet import ParquetFile

    row = piece.start
    try:
        with ParquetFile(file.path, pre_buffer=False, buffer_size=1 << 20) as table:
            columns = [settings.text, settings.id, settings.meta]
            if settings.text not in table.schema_arrow.names:
                found = ", ".join(table.schema_arrow.names)
                problem = f'expected a column "{settings.text}", got {found}'
                yield Failure(file.name, file.name, problem)
                return
            present = [name for name in columns if name in table.schema_arrow.names]
            for batch in _read_rows(table, piece, present):
                yield from _make_documents(batch, row, file, settings)
                row += batch.num_rows
    except (ValueError, OSError) as error:
        if not unreadable(error):
            raise
        source = f"{file.name}:{row + 1}-{piece.stop}" if row or piece.documents > 1 else file.name
        yield Failure(source, source, f"expected Parquet, got an error ({error})")


def _read_rows(table: "ParquetFile", piece: Piece, columns: list[str]) -> Iterator["RecordBatch"]:
    """The rows of a piece, from the row groups that hold them."""
    first = 0
    for i in range(table.metadata.num_row_groups):
        last = first + table.metadata.row_group(i).num_rows
        if first < piece.stop and piece.start < last:
            position = first
            for batch in table.iter_batches(ROWS, row_groups=[i], columns=columns):
                start = max(piece.start - position, 0)
                length = min(piece.stop - position, batch.num_rows) - start
                position += batch.num_rows
                if length > 0:
                    yield batch.slice(start, length)
                if position >= piece.stop:
                    break
        first = last


def _make_documents(
    batch: "RecordBatch", row: int, file: InputFile, settings: Settings
) -> Iterator[Read]:
    for i in range(batch.num_rows):
        source = f"{file.name}:{row + i + 1}"
        try:
            record = batch.slice(i, 1).to_pylist()[0]
        except UnicodeDecodeError as error:
            yield Failure(source, source, f"expected UTF-8, got an error ({error})")
            continue
        meta = record.get(settings.meta)
        dumped = None if meta is None else json.dumps(meta, ensure_ascii=False, default=str)
        name, text = record.get(settings.id), record.get(settings.text)
        yield make_document(name, text, dumped, source, settings)
