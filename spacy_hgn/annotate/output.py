"""The output of a shard: two Parquet tables, of entities and documents, or a DocBin."""

from io import BytesIO
from pathlib import Path
from typing import Any

from spacy.tokens import Doc, DocBin

from ..entities.score import score_of
from ..util.files import write_whole
from .documents import Document
from .reading import ID, META

ENTITIES = ("document", "start", "end", "label", "score", "text")
DOCUMENTS = ("document", "words", "entities", "meta")
NUMBERS = {
    "start": "int64",
    "end": "int64",
    "score": "float32",
    "words": "int64",
    "entities": "int64",
}
"""Columns that aren't strings. start and end count characters of the text; meta is JSON."""


class EntityTables:
    """Rows for a shard's entities and documents.

    The score is None for entities of other components than hgn_ner.
    """

    def __init__(self) -> None:
        self._entities: list[tuple[Any, ...]] = []
        self._documents: list[tuple[Any, ...]] = []

    def add(self, document: Document, doc: Doc) -> None:
        """Add the entities of a Doc."""
        for ent in doc.ents:
            found = (ent.start_char, ent.end_char, ent.label_, score_of(ent), ent.text)
            self._entities.append((document.id, *found))
        self._documents.append((document.id, len(doc), len(doc.ents), document.meta))

    def write(self, output: Path, name: str) -> list[Path]:
        """Write the files of a shard. Raises OSError if the disk is full or fails."""
        paths = [output / table / f"{name}.parquet" for table in ("entities", "documents")]
        write_whole(paths[0], _to_parquet(ENTITIES, self._entities))
        write_whole(paths[1], _to_parquet(DOCUMENTS, self._documents))
        return paths


class EntityDocBin:
    """Docs of a shard with their entities and scores, and id and meta in their user data.

    Other user data is kept if it comes from the input. Data from components is dropped, because
    it may be of types that can't be stored.
    """

    def __init__(self) -> None:
        self._docbin = DocBin(store_user_data=True)

    def add(self, document: Document, doc: Doc) -> None:
        """Add a Doc."""
        before = document.content.user_data if isinstance(document.content, Doc) else {}
        doc.user_data = {**before, ID: document.id, META: document.meta}
        self._docbin.add(doc)

    def write(self, output: Path, name: str) -> list[Path]:
        """Write the file of a shard. Raises OSError if the disk is full or fails."""
        path = output / "docs" / f"{name}.spacy"
        write_whole(path, self._docbin.to_bytes())
        return [path]


def _to_parquet(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> bytes:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    arrays = {
        column: pa.array([row[i] for row in rows], NUMBERS.get(column, "string"))
        for i, column in enumerate(columns)
    }
    file = BytesIO()
    write_table(pa.table(arrays), file)
    return file.getvalue()
