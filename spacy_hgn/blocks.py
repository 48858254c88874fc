"""Prediction in blocks of tokens: neither a long Doc nor a large batch decides the memory."""

from collections.abc import Iterator, Sequence

from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers.listener import TransformerListener
from thinc.api import Model
from thinc.types import Floats2d

BLOCK_TOKENS = 2048


def predict_in_blocks(model: Model, docs: Sequence[Doc]) -> list[Floats2d]:
    """Tag probabilities as ``model.predict(docs)`` gives them, one array a Doc; none is empty.

    A Doc of more than ``BLOCK_TOKENS`` is cut where the model listens to a Transformer, which
    has seen all of the Doc; each part has the neighbours that its windows reach.
    """
    may_cut = _only_listens(model.get_ref("tok2vec"))
    probabilities: list[Floats2d] = []
    for batch in _batches(docs):
        if may_cut and len(batch[0]) > BLOCK_TOKENS:
            probabilities.append(_predict_long(model, batch[0]))
        else:
            probabilities += model.predict(batch)
    return probabilities


def _only_listens(tok2vec: Model) -> bool:
    first, *others = tok2vec.layers or [tok2vec]
    listens = isinstance(first, TransformerListener)
    return listens and [layer.name for layer in others] == ["trfs2arrays"]


def _batches(docs: Sequence[Doc]) -> Iterator[list[Doc]]:
    """Consecutive Docs of ``BLOCK_TOKENS`` together; a longer one by itself."""
    batch: list[Doc] = []
    tokens = 0
    for doc in docs:
        if batch and tokens + len(doc) > BLOCK_TOKENS:
            yield batch
            batch, tokens = [], 0
        batch.append(doc)
        tokens += len(doc)
    if batch:
        yield batch


def _predict_long(model: Model, doc: Doc) -> Floats2d:
    reach = max(model.attrs["windows"], default=1) // 2
    data: TransformerData = doc._.trf_data
    parts = []
    for first in range(0, len(doc), BLOCK_TOKENS):
        last = min(first + BLOCK_TOKENS, len(doc))
        low, high = max(first - reach, 0), min(last + reach, len(doc))
        part = Doc(doc.vocab, words=[token.text for token in doc[low:high]])
        part._.trf_data = TransformerData(data.wordpieces, data.model_output, data.align[low:high])
        (probabilities,) = model.predict([part])
        parts.append(probabilities[first - low : last - low])
    return model.ops.xp.concatenate(parts)
