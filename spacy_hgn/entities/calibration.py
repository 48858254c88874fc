"""Calibration of the entities' scores with a temperature."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log

import numpy

COLDEST, HOTTEST = 0.05, 20.0
"""The range of temperatures to search."""

PRECISION = 1e-3
"""Where the search ends: the share by which two temperatures differ."""

GOLDEN = (5**0.5 - 1) / 2

LEAST = 1e-7
"""The least probability: one entity that is wrong at a score of 1 doesn't outweigh all others."""

FEWEST = 50
"""The minimum number of entities: with fewer, the calibration error is random."""


Scores = Callable[[float], Sequence[float]]
"""The scores of entities at a temperature."""


def fit_temperature(scores_at: Scores, is_right: Sequence[bool]) -> float:
    """The temperature with the smallest ``log_loss`` of the entities, by golden-section search.

    The likelihood of the tags would be no guide: nearly all of them are outside of entities, and
    those are the tags that a model is sure of with good reason.

    is_right: of each entity.
    """

    def loss(log_temperature: float) -> float:
        return log_loss(scores_at(exp(log_temperature)), is_right)

    low, high = log(COLDEST), log(HOTTEST)
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
    return exp((low + high) / 2)


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
