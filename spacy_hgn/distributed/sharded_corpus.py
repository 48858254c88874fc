"""A corpus of which each rank trains on its share."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from spacy.language import Language
from spacy.training import Example
from spacy.training.corpus import create_docbin_reader

from .ranks import Ranks

Corpus = Callable[[Language], Iterable[Example]]
Item = TypeVar("Item")

_ranks_of: WeakKeyDictionary[Language, Ranks] = WeakKeyDictionary()


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
    """
    if corpus is None:
        corpus = create_docbin_reader(path, gold_preproc, max_length, limit, augmenter)

    def read(nlp: Language) -> Iterator[Example]:
        examples = iter(corpus(nlp))
        ranks = _ranks_of.get(nlp)
        return examples if ranks is None else share(examples, ranks.rank, ranks.size)

    return read


def shard_for(nlp: Language, ranks: Ranks | None) -> None:
    """From here on, give this pipeline a rank's share; or again all, for None."""
    _ranks_of.pop(nlp, None)
    if ranks is not None:
        _ranks_of[nlp] = ranks


def share(items: Iterable[Item], rank: int, size: int) -> Iterator[Item]:
    """Every size-th item; as many for each rank."""
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
