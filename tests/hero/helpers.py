"""What the tests of the Hero share."""

from collections.abc import Sequence

import numpy
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers import trfs2arrays
from thinc.api import Model, reduce_first

ARCHITECTURES = ["bert", "roberta", "xlnet", "deberta"]

TEXTS = [
    "Apple hired Tim Cook in 1998.",
    "I don't like rain; they're \"not happy\".",
    "  São Paulo\n\nand Zürich,  a start-up ",
    "See https://example.com/news?id=7 #ner @jane",
    "東京タワー is in Tokyo 🎉👩‍💻!",
    "\tnai\u0308ve ½ ﬁne … “quotes” — O'Neill's\n",
    "$1.5bn (€2) 50% C++ a/b U.K. e.g. x_y",
    "I",
]

_first_pieces = trfs2arrays(reduce_first(), 1.0)


def token_vectors(datas: Sequence[TransformerData]) -> list[numpy.ndarray]:
    """The vector of each token's first piece, an array a Doc."""
    return _first_pieces.predict(list(datas))


def vectors(hero: Model, docs: Sequence[Doc]) -> list[numpy.ndarray]:
    """The token vectors that the Hero predicts, an array a Doc."""
    return token_vectors(hero.predict(list(docs)).doc_data)


def assert_same(found: Sequence[numpy.ndarray], expected: Sequence[numpy.ndarray]) -> None:
    """The same vectors for each Doc; an empty Doc has none, whatever the width."""
    assert [len(array) for array in found] == [len(array) for array in expected]
    for left, right in zip(found, expected, strict=True):
        if len(left):
            numpy.testing.assert_allclose(left, right, atol=1e-5, rtol=0)


def aligned_pieces(data: TransformerData) -> list[list[int]]:
    """For each token its places in the Doc's rows; padding stands for no piece."""
    is_piece = data.wordpieces.attention_mask.ravel() == 1
    ends = numpy.cumsum(data.align.lengths)
    per_token = numpy.split(data.align.dataXd.ravel(), ends[:-1])
    return [[int(place) for place in places if is_piece[place]] for places in per_token]


def make_pipeline(folder: str, window: int = 128, **settings: object) -> Language:
    """A pipeline of a transformer alone, initialized."""
    nlp = spacy.blank("xx")
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1"}
    model = {
        "@architectures": "spacy-hgn.TransformerModel.v1",
        "name": folder,
        "precision": "float32",
        "get_spans": {**spans, "window": window, "stride": window * 3 // 4},
        **settings,
    }
    nlp.add_pipe("transformer", config={"model": model})
    nlp.initialize()
    return nlp


def pipe_vectors(nlp: Language, texts: Sequence[str]) -> list[numpy.ndarray]:
    """The token vectors of texts that go through a pipeline."""
    return token_vectors([doc._.trf_data for doc in nlp.pipe(texts)])
