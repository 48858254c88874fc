"""Is a difference in F1 luck? Approximate randomisation over sentences (Noreen, 1989)."""

from collections.abc import Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

from .scores import Sentences, count

RESAMPLES = 9999
BATCH = 500
"""Resamples computed at once; each takes a number a sentence."""


def p_value(
    gold: Sentences, first: Sequence[Sentences], second: Sequence[Sentences], seed: int = 0
) -> float:
    """Two-sided p of the difference in micro-F1 between two systems.

    If the systems were the same, who of the two predicted a sentence's entities might be
    swapped. It's swapped for all seeds at once: what several seeds say of one sentence is no
    independent evidence. The F1 is that of all seeds' counts together.

    first, second: what each system predicted, with one seed after the other.
    """
    from scipy.stats import permutation_test

    ones, others = _count(gold, first), _count(gold, second)
    total = ones.sum(axis=0) + others.sum(axis=0)
    difference = ones - others
    difference = difference[difference.any(axis=1)]  # swapping another sentence changes nothing
    if not len(difference):
        return 1.0
    difference = numpy.vstack([difference, numpy.zeros((1, 3))])  # scipy wants two sentences

    def statistic(signs: NDArray[Any], axis: int) -> NDArray[Any]:
        """The difference in F1, where sentences with sign -1 are swapped."""
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


def _count(gold: Sentences, predicted: Sequence[Sentences]) -> NDArray[Any]:
    """Right, in vain and missed by sentence, of all seeds. *Shape:* (sentences, 3)."""
    counts = [
        [count(g, p) for g, p in zip(gold, of_a_seed, strict=True)] for of_a_seed in predicted
    ]
    return numpy.array(counts, dtype="f8").sum(axis=0)


def _f1(counts: NDArray[Any]) -> NDArray[Any]:
    """*Shape:* (..., 3) to (...)."""
    right, in_vain, missed = numpy.moveaxis(counts, -1, 0)
    whole = 2 * right + in_vain + missed
    return numpy.divide(2 * right, whole, out=numpy.zeros_like(whole), where=whole > 0)
