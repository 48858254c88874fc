"""A corpus of which each rank trains on its share."""

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from spacy.language import Language
from spacy.training import Example
from spacy.training.corpus import create_docbin_reader

from ...backend.ranks import Ranks, current_ranks, require_together

Corpus = Callable[[Language], Iterable[Example]]
Item = TypeVar("Item")

_ranks_of: WeakKeyDictionary[Language, Ranks] = WeakKeyDictionary()
_sizes: WeakKeyDictionary[Language, int] = WeakKeyDictionary()


def make_sharded_corpus(
    corpus: Corpus | None = None,
    path: Path | None = None,
    gold_preproc: bool = False,
    max_length: int = 0,
    limit: int = 0,
    augmenter: Callable | None = None,
) -> Corpus:
    """Make a reader of which each rank trains on every N-th Example.

    corpus: another reader, which yields the same in the same order on all ranks; None is spaCy's
    ``Corpus.v1`` with the settings that follow. While the pipeline is initialized all ranks see
    all of it, and so the same labels; in a single process too. All shares are of one size:
    where N doesn't divide the corpus, its first Examples are used again at its end.
    What it returns raises ValueError in one of several processes that don't train together.
    """
    if corpus is None:
        corpus = create_docbin_reader(path, gold_preproc, max_length, limit, augmenter)

    # A generator, so that it is decided when the reading begins: spaCy's loop calls a reader of
    # development data before the evaluation that is to have all of them.
    def read(nlp: Language) -> Iterator[Example]:
        require_together(current_ranks() is not None)
        ranks = _ranks_of.get(nlp)
        if ranks is None:
            yield from corpus(nlp)
        else:
            _sizes[nlp] = yield from share(corpus(nlp), ranks.rank, ranks.size)

    return read


def shard_for(nlp: Language, ranks: Ranks | None) -> None:
    """From here on, give this pipeline a rank's share; or again all, for None."""
    _ranks_of.pop(nlp, None)
    if ranks is not None:
        _ranks_of[nlp] = ranks


def require_same_size(nlp: Language, ranks: Ranks) -> None:
    """Raise ValueError where other ranks have read other numbers of Examples to their end.

    They would have other numbers of batches, and wait for each other's last ones.
    """
    sizes = ranks.of_all(_sizes.get(nlp))
    if len({size for size in sizes if size is not None}) > 1:
        found = ", ".join(f"{size} on rank {rank}" for rank, size in enumerate(sizes))
        raise ValueError(
            "training.train_corpus: expected a reader that yields the same on all ranks, got "
            f"Examples: {found}. Do all see the same files?"
        )


def share(items: Iterable[Item], rank: int, size: int) -> Generator[Item, None, int]:
    """Every size-th item; as many for each rank. Returns how many items there are."""
    first: list[Item] = []
    count = 0
    for item in items:
        if count < size:
            first.append(item)
        if count % size == rank:
            yield item
        count += 1
    left_over = count % size
    if left_over and rank >= left_over:
        yield first[(rank - left_over) % len(first)]
    return count
