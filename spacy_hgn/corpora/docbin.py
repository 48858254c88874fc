"""``.spacy`` files: spaCy's DocBin on disk."""

from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from .errors import CorpusError

MISREAD = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
"""What spaCy raises for bytes that only look like a DocBin."""


def read_docbin(path: Path, nlp: Language) -> list[Doc]:
    """Read the Docs of a ``.spacy`` file.

    Raises CorpusError where it is none, or damaged.
    """
    try:
        docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))
        for doc in docs:
            _labels_on(doc)
    except MISREAD as error:
        raise CorpusError(path, f"expected a .spacy file, got an error ({error!r})") from error
    return docs


def _labels_on(doc: Doc) -> list[str]:
    """All labels on the Doc; spaCy finds out only now that one is damaged."""
    return [span.label_ for group in (doc.ents, *doc.spans.values()) for span in group]
