"""Calibration of probabilities with a temperature."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from .posteriors import temper

COLDEST, HOTTEST = 0.05, 20.0
"""The range of temperatures to search."""

FEWEST = 50
"""The minimum number of entities: with fewer, the calibration error is random."""


def fit_temperature(probabilities: numpy.ndarray, tags: numpy.ndarray) -> float:
    """The temperature that maximizes the likelihood of the gold tags.

    *Shapes:* (tokens, tags) and (tokens,). The negative log likelihood is convex in 1 /
    temperature, so bisection of its slope finds the minimum. Raises ValueError without tags.
    """
    if len(tags) == 0:
        raise ValueError("Expected gold tags to fit a temperature to, got none.")
    logits = _logs(probabilities)
    gold = logits[numpy.arange(len(tags)), tags].sum()
    low, high = 1 / HOTTEST, 1 / COLDEST
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        expected = (temper(probabilities, 1 / middle) * logits).sum()
        low, high = (middle, high) if expected < gold else (low, middle)
    return 2 / (low + high)


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


def _logs(probabilities: numpy.ndarray) -> numpy.ndarray:
    tiny = numpy.finfo("float32").tiny
    return numpy.log(numpy.maximum(probabilities, tiny, dtype="float64"))


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
