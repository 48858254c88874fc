"""As many batches on each rank, whatever the batcher."""

from collections.abc import Callable, Iterable, Iterator

from spacy.training import Example

from .ranks import current_ranks

Batcher = Callable[[Iterable[Example]], Iterable[list[Example]]]


def make_equal_batches(batcher: Batcher) -> Batcher:
    """Make a batcher that ends an epoch on all ranks when one of them has no batch left.

    For batchers that count words: how many batches they make depends on the Examples. What the
    other ranks have left is left out of that epoch.
    """

    def batch(examples: Iterable[Example]) -> Iterator[list[Example]]:
        ranks = current_ranks()
        batches = iter(batcher(examples))
        if ranks is None:
            yield from batches
            return
        following = next(batches, None)
        while ranks.all_say(following is not None):
            assert following is not None
            yield following
            following = next(batches, None)

    return batch
