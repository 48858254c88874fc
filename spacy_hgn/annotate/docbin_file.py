"""A DocBin a shard: Docs with their entities and scores."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spacy.tokens import Doc, DocBin

from .documents import Document
from .entities_table import Add
from .read_docbin import ID, META
from .whole_files import write_whole

DOCS = "docs"


@contextmanager
def writing_docbin(name: str, output: Path) -> Iterator[Add]:
    """Yield what adds a Doc to the DocBin of a shard, which has id and meta in its user data.

    Other user data is kept if the input had it; what components put there can be anything, also
    what no file can hold.
    """
    docbin = DocBin(store_user_data=True)

    def add(document: Document, doc: Doc) -> None:
        before = document.content.user_data if isinstance(document.content, Doc) else {}
        doc.user_data = {**before, ID: document.id, META: document.meta}
        docbin.add(doc)

    yield add
    write_whole(output / DOCS / f"{name}.spacy", output, docbin.to_bytes())
