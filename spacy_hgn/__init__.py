"""spacy_hgn: named entities with the Hero-Gang Neural model, as a spaCy component."""

__version__ = "0.1.0"
