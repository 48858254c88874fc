"""spacy_hgn: named entities with the Hero-Gang Neural model, as a spaCy component."""

from .heads import attach

__version__ = "0.1.0"

__all__ = ["attach"]
