"""A corpus that is divided between ranks."""

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
    """Make a reader with which each of N ranks trains on every N-th Example.

    During initialization, and in a single process, the reader yields all Examples, so that all
    ranks see all labels. All shares have the same size: if N doesn't divide the corpus, its first
    Examples are used again at the end.

    corpus: another reader, which must yield the same Examples in the same order on all ranks; None
    is spaCy's ``Corpus.v1`` with the other settings.
    path, gold_preproc, max_length, limit, augmenter: as in spaCy's ``Corpus.v1``.
    Raises ValueError while reading in one of several processes that don't train together.
    """
    if corpus is None:
        corpus = create_docbin_reader(path, gold_preproc, max_length, limit, augmenter)

    # A generator, so that the ranks are looked up when reading begins: spaCy's loop calls the
    # reader of development data before the evaluation, which needs all Examples.
    def read(nlp: Language) -> Iterator[Example]:
        require_together(current_ranks() is not None)
        ranks = _ranks_of.get(nlp)
        if ranks is None:
            yield from corpus(nlp)
        else:
            _sizes[nlp] = yield from share(corpus(nlp), ranks.rank, ranks.size)

    return read


def shard_for(nlp: Language, ranks: Ranks | None) -> None:
    """Give a pipeline its rank's share from now on; None gives it all Examples."""
    _ranks_of.pop(nlp, None)
    if ranks is not None:
        _ranks_of[nlp] = ranks


def require_same_size(nlp: Language, ranks: Ranks) -> None:
    """Raise ValueError if ranks have read different numbers of Examples.

    They would have different numbers of batches, and wait for each other forever.
    """
    sizes = ranks.of_all(_sizes.get(nlp))
    if len({size for size in sizes if size is not None}) > 1:
        found = ", ".join(f"{size} on rank {rank}" for rank, size in enumerate(sizes))
        raise ValueError(
            "training.train_corpus: expected a reader that yields the same on all ranks, got "
            f"Examples: {found}. Do all see the same files?"
        )


def share(items: Iterable[Item], rank: int, size: int) -> Generator[Item, None, int]:
    """Yield every size-th item, the same number on each rank. Returns the number of items."""
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
