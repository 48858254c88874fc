"""Steps of as many texts, but not of more tokens than memory holds."""

from collections.abc import Callable, Iterable, Iterator

from spacy.training import Example
from spacy.training.batchers import Sizing
from spacy.util import minibatch

from ..backend.blocks import group_texts
from .distributed.equal_batches import make_equal_batches

Batcher = Callable[[Iterable[Example]], Iterable[list[Example]]]


def make_batches(size: Sizing, max_tokens: int) -> Batcher:
    """Make a batcher like ``spacy.batch_by_sequence.v1`` with a limit for long texts.

    A batch has ``size`` texts. Where these have more than ``max_tokens`` tokens together, it is cut
    into batches that haven't; no text is cut or left out, so one that is longer is a batch by
    itself. Over several processes, an epoch ends on all when one has no batch left.

    size: as in spaCy's, a number or a schedule. max_tokens: 32 sentences have some 800. A token of
    a step takes about half a megabyte with MiniLM, and two with BERT base.
    Raises ValueError where max_tokens isn't a whole number above 0.
    """
    if type(max_tokens) is not int or max_tokens < 1:
        raise ValueError(f"max_tokens: expected a whole number of 1 or more, got {max_tokens!r}.")

    def batch(examples: Iterable[Example]) -> Iterator[list[Example]]:
        for texts in minibatch(examples, size):
            yield from group_texts(texts, max_tokens, lambda example: len(example.predicted))

    return make_equal_batches(batch)
