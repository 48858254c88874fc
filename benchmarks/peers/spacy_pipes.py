"""What the peers that are spaCy pipelines share."""

from collections.abc import Callable

import spacy
from passes import TYPES, Texts
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example


def initialize(nlp: Language) -> Language:
    """Give the pipeline weights, for the types of WNUT 2017."""
    spacy.util.fix_random_seed(0)
    words = [word for label in TYPES for word in (label, "name")]
    doc = Doc(nlp.vocab, words=words)
    tags = [f"{prefix}-{label}" for label in TYPES for prefix in "BI"]
    example = Example(doc, Doc(nlp.vocab, words=words, ents=tags))
    nlp.initialize(lambda: [example])
    return nlp


def predict_with(nlp: Language) -> Callable[[Texts, int], list[int]]:
    """A pass of ``nlp.pipe`` over Docs that hold nothing but their words."""

    def predict(texts: Texts, batch: int) -> list[int]:
        docs = (Doc(nlp.vocab, words=words) for words in texts)
        return [sum(map(len, doc.ents)) for doc in nlp.pipe(docs, batch_size=batch)]

    return predict
