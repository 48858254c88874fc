"""Documents from a spaCy DocBin."""

from collections.abc import Iterator

from spacy.language import Language
from spacy.tokens import DocBin

from spacy_hgn.corpora.docbin import MISREAD

from .documents import Document, Failure, Read
from .inputs import InputFile

ID, META = "id", "meta"
"""Keys in ``doc.user_data``."""


def read_docbin(file: InputFile, nlp: Language) -> Iterator[Read]:
    """A document a Doc; one failure for all Docs from the first that can't be read."""
    number = 0
    try:
        for number, doc in enumerate(DocBin().from_disk(file.path).get_docs(nlp.vocab), start=1):
            source = f"{file.name}:{number}"
            name, meta = doc.user_data.get(ID, source), doc.user_data.get(META)
            yield Document(str(name), source, doc, None if meta is None else str(meta))
    except MISREAD as error:
        source = f"{file.name}:{number + 1}-" if number else file.name
        yield Failure(source, source, f"expected a .spacy file, got an error ({error!r})")
