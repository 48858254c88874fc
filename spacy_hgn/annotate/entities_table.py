"""Parquet with a row an entity, and beside it one with a row a document."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from spacy.tokens import Doc

from spacy_hgn.entities.on_doc import score_of

from .documents import Document
from .whole_files import writing

if TYPE_CHECKING:
    from pyarrow import Schema

ENTITIES, DOCUMENTS = "entities", "documents"

ROWS = 8192
"""In memory at once."""

Add = Callable[[Document, Doc], None]


@contextmanager
def writing_tables(name: str, output: Path) -> Iterator[Add]:
    """Yield what adds a document's entities to the two tables of a shard."""
    paths = [output / table / f"{name}.parquet" for table in (ENTITIES, DOCUMENTS)]
    with (
        writing(output, *paths) as files,
        _filling_table(files[0], entities_schema()) as add_entities,
        _filling_table(files[1], documents_schema()) as add_document,
    ):

        def add(document: Document, doc: Doc) -> None:
            add_entities([describe_entity(document.id, entity) for entity in doc.ents])
            row = {"words": len(doc), "entities": len(doc.ents), "meta": document.meta}
            add_document([{"document": document.id, **row}])

        yield add


def entities_schema() -> "Schema":
    """Columns of the entities; start and end count characters of the text."""
    import pyarrow as pa

    columns = {
        "document": pa.string(),
        "start": pa.int64(),
        "end": pa.int64(),
        "label": pa.string(),
        "score": pa.float32(),
        "text": pa.string(),
    }
    return pa.schema(columns)


def documents_schema() -> "Schema":
    """Columns of the documents; meta is JSON."""
    import pyarrow as pa

    columns = {
        "document": pa.string(),
        "words": pa.int64(),
        "entities": pa.int64(),
        "meta": pa.string(),
    }
    return pa.schema(columns)


def describe_entity(document: str, entity: Any) -> dict[str, Any]:
    """The row of an entity; its score is None if another component than hgn_ner found it."""
    return {
        "document": document,
        "start": entity.start_char,
        "end": entity.end_char,
        "label": entity.label_,
        "score": score_of(entity),
        "text": entity.text,
    }


@contextmanager
def _filling_table(
    file: IO[bytes], schema: "Schema"
) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """Yield what adds rows to a table."""
    from pyarrow import Table
    from pyarrow.parquet import ParquetWriter

    rows: list[dict[str, Any]] = []
    with ParquetWriter(file, schema) as writer:

        def flush() -> None:
            writer.write_table(Table.from_pylist(rows, schema=schema))
            rows.clear()

        def add(more: list[dict[str, Any]]) -> None:
            rows.extend(more)
            if len(rows) >= ROWS:
                flush()

        yield add
        flush()
