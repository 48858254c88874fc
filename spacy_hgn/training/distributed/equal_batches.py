"""The same number of batches on each rank, with any batcher."""

from collections.abc import Callable, Iterable, Iterator

from spacy.training import Example

from ...backend.ranks import current_ranks

Batcher = Callable[[Iterable[Example]], Iterable[list[Example]]]


def make_equal_batches(batcher: Batcher) -> Batcher:
    """Make a batcher that ends an epoch on all ranks when one of them has no batch left.

    Use it around batchers that count words, because the number of their batches depends on the
    Examples. The remaining batches of other ranks are left out of that epoch.

    batcher: another batcher.
    Raises ValueError in training if a rank has no batch at all, for example if all Examples are too
    long: otherwise, epochs without a step would repeat forever.
    """

    def batch(examples: Iterable[Example]) -> Iterator[list[Example]]:
        ranks = current_ranks()
        batches = iter(batcher(examples))
        if ranks is None:
            yield from batches
            return
        following = next(batches, None)
        if not ranks.all_say(following is not None):
            found = "none" if following is None else "one, but another has none"
            raise ValueError(
                "training.batcher: expected at least one batch per epoch on each rank; rank "
                f"{ranks.rank} has {found}. Are the texts too long for it?"
            )
        while following is not None:
            yield following
            following = next(batches, None)
            if not ranks.all_say(following is not None):
                return

    return batch
