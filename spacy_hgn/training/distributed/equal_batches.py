"""As many batches on each rank, whatever the batcher."""

from collections.abc import Callable, Iterable, Iterator

from spacy.training import Example

from ...backend.ranks import current_ranks

Batcher = Callable[[Iterable[Example]], Iterable[list[Example]]]


def make_equal_batches(batcher: Batcher) -> Batcher:
    """Make a batcher that ends an epoch on all ranks when one of them has no batch left.

    For batchers that count words: how many batches they make depends on the Examples. What the
    other ranks have left is left out of that epoch. The batcher that is returned raises
    ValueError where a rank has no batch at all, as if all Examples were too long: epochs
    without a step would follow each other for ever.
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
                "training.batcher: expected at least one batch an epoch on each rank; rank "
                f"{ranks.rank} has {found}. Are the texts longer than it takes?"
            )
        while following is not None:
            yield following
            following = next(batches, None)
            if not ranks.all_say(following is not None):
                return

    return batch
