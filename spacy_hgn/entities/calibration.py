"""Calibration of the entities' scores with a temperature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy

COLDEST, HOTTEST = 0.05, 20.0
"""The range of temperatures to search."""

TRIED = 13
"""Temperatures from the coldest to the hottest, between which the best is searched for."""

PRECISION = 1e-3
"""The search ends when its bounds differ by this share."""

GOLDEN = (5**0.5 - 1) / 2
"""The part of an interval in golden-section search."""

LEAST = 1e-7
"""The least probability in ``log_loss``: one wrong entity with a score of 1 shouldn't decide."""

FEWEST = 50
"""The minimum number of entities: with fewer, the calibration error is random."""

ScoresAt = Callable[[float], Sequence[float]]
"""The scores of entities at a temperature."""


def fit_temperature(scores_at: ScoresAt, is_right: Sequence[bool]) -> float:
    """The temperature with the smallest ``log_loss`` of the entities.

    It isn't the one that makes the gold tags most probable: nearly all tokens are outside of
    entities, and there a model is rightly sure.

    is_right: of each entity. If all are right, or none, the result is a bound of the range.
    """

    def loss(log_temperature: float) -> float:
        return log_loss(scores_at(exp(log_temperature)), is_right)

    tried = numpy.linspace(log(COLDEST), log(HOTTEST), TRIED).tolist()
    best = min(range(TRIED), key=[loss(each) for each in tried].__getitem__)
    if best in (0, TRIED - 1):
        return exp(tried[best])
    return exp(_search(loss, tried[best - 1], tried[best + 1]))


def _search(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one minimum has it, by golden-section search."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > PRECISION:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2


def log_loss(scores: Sequence[float], is_right: Sequence[bool]) -> float:
    """The negative log likelihood of which entities are right, averaged over them."""
    right = numpy.asarray(is_right, dtype=bool)
    score = numpy.asarray(scores, dtype="float64")
    found = numpy.where(right, score, 1 - score)
    return -float(numpy.log(numpy.maximum(found, LEAST)).sum()) / max(len(found), 1)


def reason_to_keep(temperature: float, scores: int, error: float, error_at_1: float) -> str | None:
    """Why probabilities shouldn't be calibrated; None if the temperature is good.

    scores: the number of entities. error, error_at_1: calibration error at the temperature and 1.
    """
    if scores < FEWEST:
        return f"too few entities: {scores}, expected {FEWEST} or more"
    if not COLDEST * 1.01 < temperature < HOTTEST / 1.01:
        return f"the best temperature, {temperature:.3g}, is at the bound of the search"
    if error > error_at_1:
        return (
            f"the temperature {temperature:.3f} would raise the calibration error from "
            f"{error_at_1:.4f} to {error:.4f}"
        )
    return None


@dataclass(frozen=True)
class Bin:
    """Entities with similar scores."""

    low: float
    high: float
    count: int
    score: float
    """The mean score."""
    right: float
    """The share of correct ones."""


def reliability(scores: Sequence[float], is_right: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Entities in bins of equal width by score; empty bins are left out."""
    score, right = numpy.asarray(scores, dtype="float64"), numpy.asarray(is_right, dtype=bool)
    place = numpy.clip((score * bins).astype("int64"), 0, bins - 1)
    found = []
    for i in numpy.unique(place).tolist():
        inside = place == i
        mean, share = float(score[inside].mean()), float(right[inside].mean())
        found.append(Bin(i / bins, (i + 1) / bins, int(inside.sum()), mean, share))
    return found


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The distance between scores and the share of correct entities, averaged over entities."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.score - each.right) for each in bins) / max(total, 1)
