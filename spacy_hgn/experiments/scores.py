"""Scores of whole entities, and the significance of a difference in F1."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy
from numpy.typing import NDArray
from spacy.scorer import PRFScore
from spacy.tokens import Doc

Mention = tuple[int, int, str]
"""An entity: its first token, the token after its last, and its type."""

Sentences = Sequence[Sequence[Mention]]

RESAMPLES = 9999
BATCH = 500
"""The number of resamples to compute at once; each needs one number per sentence."""


def get_gold(doc: Doc) -> list[Mention]:
    """A Doc's entities."""
    return [(entity.start, entity.end, entity.label_) for entity in doc.ents]


def get_predicted(doc: Doc, reference: Doc) -> list[Mention]:
    """A Doc's entities, except those with tokens that aren't annotated in the reference, which has
    the same tokens."""
    missing = {token.i for token in reference if token.ent_iob == 0}
    return [entity for entity in get_gold(doc) if missing.isdisjoint(range(entity[0], entity[1]))]


def count(gold: Iterable[Mention], predicted: Iterable[Mention]) -> PRFScore:
    """Count the entities of one sentence. They must have the right boundaries and type."""
    found = PRFScore()
    found.score_set(set(predicted), set(gold))
    return found


def score(gold: Sentences, predicted: Sentences) -> dict[str, Any]:
    """Micro-averaged precision, recall and F1 in per cent with counts, in total and by type.

    gold, predicted: entities by sentence.
    """
    total, by_type = PRFScore(), defaultdict[str, PRFScore](PRFScore)
    for sentence, found in zip(gold, predicted, strict=True):
        total += count(sentence, found)
        for label in {mention[2] for mention in (*sentence, *found)}:
            by_type[label] += count(_of_type(sentence, label), _of_type(found, label))
    types = {label: _describe(by_type[label]) for label in sorted(by_type)}
    return {**_describe(total), "types": types}


def p_value(
    gold: Sentences, first: Sequence[Sentences], second: Sequence[Sentences], seed: int = 0
) -> float:
    """Two-sided p of the difference in micro-F1 between two systems, by approximate randomisation
    over sentences (Noreen, 1989).

    If the systems were the same, their predictions for a sentence could be swapped. They are
    swapped for all seeds at once, because several seeds on one sentence aren't independent. F1 is
    computed from the counts of all seeds together.

    first, second: the predictions of each system, one per seed.
    """
    from scipy.stats import permutation_test

    ones, others = _count_all(gold, first), _count_all(gold, second)
    total = ones.sum(axis=0) + others.sum(axis=0)
    difference = ones - others
    difference = difference[difference.any(axis=1)]  # swapping the other sentences changes nothing
    if not len(difference):
        return 1.0
    difference = numpy.vstack([difference, numpy.zeros((1, 3))])  # scipy needs two sentences

    def statistic(signs: NDArray[Any], axis: int) -> NDArray[Any]:
        """The difference in F1 if sentences with sign -1 are swapped."""
        swapped = numpy.moveaxis(signs, axis, -1) @ difference
        return _f1((total + swapped) / 2) - _f1((total - swapped) / 2)

    result = permutation_test(
        (numpy.ones(len(difference)),),
        statistic,
        permutation_type="samples",  # of a single sample: its signs
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=BATCH,
        rng=numpy.random.default_rng(seed),
    )
    return float(result.pvalue)


def _describe(found: PRFScore) -> dict[str, Any]:
    return {
        "p": round(100 * found.precision, 3),
        "r": round(100 * found.recall, 3),
        "f": round(100 * found.fscore, 3),
        "right": found.tp,
        "in_vain": found.fp,
        "missed": found.fn,
    }


def _of_type(sentence: Sequence[Mention], label: str) -> list[Mention]:
    return [mention for mention in sentence if mention[2] == label]


def _count_all(gold: Sentences, predicted: Sequence[Sentences]) -> NDArray[Any]:
    """Right, spurious and missed by sentence, for all seeds. *Shape:* (sentences, 3)."""
    counts = [
        [(found.tp, found.fp, found.fn) for found in map(count, gold, of_a_seed)]
        for of_a_seed in predicted
    ]
    return numpy.array(counts, dtype="f8").sum(axis=0)


def _f1(counts: NDArray[Any]) -> NDArray[Any]:
    """*Shape:* (..., 3) to (...)."""
    right, in_vain, missed = numpy.moveaxis(counts, -1, 0)
    whole = 2 * right + in_vain + missed
    return numpy.divide(2 * right, whole, out=numpy.zeros_like(whole), where=whole > 0)
