"""Batches with a fixed number of texts and a maximum of tokens."""

from collections.abc import Callable, Iterable, Iterator

from spacy.training import Example
from spacy.training.batchers import Sizing
from spacy.util import minibatch

from ..util.lists import group_texts
from .distributed.equal_batches import make_equal_batches

Batcher = Callable[[Iterable[Example]], Iterable[list[Example]]]


def make_batches(size: Sizing, max_tokens: int) -> Batcher:
    """Make a batcher like ``spacy.batch_by_sequence.v1`` with a limit for long texts.

    A batch has ``size`` texts. If these have more than ``max_tokens`` tokens in total, the batch is
    divided. Texts are never cut or left out; a longer text is a batch by itself. With several
    processes, an epoch ends on all when one has no batch left.

    size: the number of texts, or a schedule. max_tokens: the maximum number of tokens per batch; 32
    sentences have about 800. In training, a token takes about half a megabyte with MiniLM, and two
    with BERT base.
    Raises ValueError if max_tokens isn't a whole number above 0.
    """
    if type(max_tokens) is not int or max_tokens < 1:
        raise ValueError(f"max_tokens: expected a whole number of 1 or more, got {max_tokens!r}.")

    def batch(examples: Iterable[Example]) -> Iterator[list[Example]]:
        for texts in minibatch(examples, size):
            yield from group_texts(texts, max_tokens, lambda example: len(example.predicted))

    return make_equal_batches(batch)
