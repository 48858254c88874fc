"""Takes the Hero's vectors off each Doc when all who read them are done."""

from typing import Any

import numpy
from spacy.language import Language
from spacy.pipeline.functions import DocCleaner as SpacyDocCleaner
from spacy.tokens import Doc


class DocCleaner(SpacyDocCleaner):
    """spaCy's ``doc_cleaner``, except that a tensor it takes off leaves an empty one, as a new Doc
    has. spaCy's own leaves None, on which ``as_doc``, ``vector`` and ``similarity`` fail."""

    def __call__(self, doc: Doc) -> Doc:
        tensor = doc.tensor
        doc = super().__call__(doc)
        if doc.tensor is None:
            doc.tensor = numpy.zeros((0,), dtype="float32") if tensor.size else tensor
        return doc


@Language.factory("hgn_doc_cleaner", default_config={"attrs": {"_.trf_data": None}, "silent": True})
def make_doc_cleaner(nlp: Language, name: str, attrs: dict[str, Any], silent: bool) -> DocCleaner:
    """Create the component. attrs: what each attribute of a Doc becomes. silent: whether nothing
    is said of those that a Doc hasn't."""
    return DocCleaner(attrs, silent=silent)
