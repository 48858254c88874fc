"""A component that fails on some texts, as the code that a pipeline needs (``--code``)."""

from spacy.language import Language
from spacy.tokens import Doc


@Language.component("exploding")
def explode(doc: Doc) -> Doc:
    """Raise an error where the text says "boom"."""
    if "boom" in doc.text:
        raise RuntimeError(f"boom in {doc.text!r}")
    return doc
