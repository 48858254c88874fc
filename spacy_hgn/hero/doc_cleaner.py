"""Remove the Hero's vectors from each Doc, after all components that read them."""

from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline.functions import DocCleaner as SpacyDocCleaner
from spacy.tokens import Doc


class DocCleaner(SpacyDocCleaner):
    """spaCy's ``doc_cleaner``, but a removed tensor is replaced by an empty one, as in a new Doc.
    spaCy's own sets None, with which ``as_doc``, ``vector`` and ``similarity`` fail."""

    def __call__(self, doc: Doc) -> Doc:
        tensor = doc.tensor
        doc = super().__call__(doc)
        if doc.tensor is None:
            doc.tensor = numpy.zeros((0,), dtype="float32") if tensor.size else tensor
        return doc


@Language.factory("hgn_doc_cleaner", default_config={"attrs": {"_.trf_data": None}, "silent": True})
def make_doc_cleaner(nlp: Language, name: str, attrs: dict[str, Any], silent: bool) -> DocCleaner:
    """Create the component. attrs: the new value of each attribute of a Doc. silent: don't warn
    about attributes that a Doc doesn't have."""
    return DocCleaner(attrs, silent=silent)
