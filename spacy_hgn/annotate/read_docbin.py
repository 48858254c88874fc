"""Documents from a spaCy DocBin."""

import json
from collections.abc import Iterator
from typing import Any

from spacy.language import Language
from spacy.tokens import DocBin

from spacy_hgn.corpora.docbin import MISREAD

from .documents import Document, Failure, Read
from .inputs import InputFile

ID, META = "id", "meta"
"""Keys in ``doc.user_data``."""


def dump_meta(meta: Any) -> str | None:
    """JSON of a Doc's meta; a string is JSON already, as ``writing_docbin`` left it."""
    if meta is None or isinstance(meta, str):
        return meta
    return json.dumps(meta, ensure_ascii=False, default=str)


def read_docbin(file: InputFile, nlp: Language) -> Iterator[Read]:
    """A document a Doc; one failure for all Docs from the first that can't be read."""
    number = 0
    try:
        for number, doc in enumerate(DocBin().from_disk(file.path).get_docs(nlp.vocab), start=1):
            source = f"{file.name}:{number}"
            name, meta = doc.user_data.get(ID), doc.user_data.get(META)
            yield Document(source if name is None else str(name), source, doc, dump_meta(meta))
    except MISREAD as error:
        source = f"{file.name}:{number + 1}-" if number else file.name
        yield Failure(source, source, f"expected a .spacy file, got an error ({error!r})")
