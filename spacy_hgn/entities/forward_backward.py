"""Sums over all tag sequences of a text, forward and backward.

Between two tokens, an entity with some label continues, or none does. The sums for each of these
cases are computed along the text, for many texts at once.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy

from ..tags.decoding import Borders, Steps, allowed_tags
from ..tags.tag_set import TagSet

FLOOR = float(numpy.finfo("float32").tiny)  # a tag that underflowed is improbable, not forbidden
SAFE = 1e100  # from here, a step or two with factors of FLOOR stay within float64


class Weights(NamedTuple):
    """The weights of tokens, by their position in an entity; 0 is forbidden. The weight of a tag
    sequence is the product over its tokens.

    *Shapes:* outside: (tokens,), all others: (tokens, labels).
    """

    outside: numpy.ndarray
    alone: numpy.ndarray  # a whole entity
    opens: numpy.ndarray  # the first token of several
    goes_on: numpy.ndarray
    closes: numpy.ndarray


class Semiring(NamedTuple):
    """How weights are multiplied, divided and added."""

    times: numpy.ufunc
    over: numpy.ufunc
    plus: numpy.ufunc
    zero: float
    one: float


LINEAR = Semiring(numpy.multiply, numpy.divide, numpy.add, 0.0, 1.0)
LOG = Semiring(numpy.add, numpy.subtract, numpy.logaddexp, -numpy.inf, 0.0)


class Sums(NamedTuple):
    """Sums over tag sequences, as ratios, so that long texts stay in the range of floats.

    before, after: the weight of everything before (or after) the token if an entity with the label
        continues there, divided by the weight if none does. *Shape:* (tokens, labels)
    growth: the weight of everything from the token on if no entity continues before it, divided by
        the weight of everything after the token if none continues there. *Shape:* (tokens,)
    """

    before: numpy.ndarray
    after: numpy.ndarray
    growth: numpy.ndarray


def weigh(probabilities: numpy.ndarray, borders: Borders, tag_set: TagSet) -> Weights:
    floored = numpy.maximum(probabilities, FLOOR, dtype="float64")
    weights = numpy.where(allowed_tags(borders, tag_set), floored, 0.0)
    begins, continues = tag_set.begins, tag_set.continues
    return Weights(
        outside=weights[:, 0],
        alone=weights[:, begins & ~tag_set.stays_open],
        opens=weights[:, begins & ~tag_set.closed],
        goes_on=weights[:, continues & ~tag_set.closed],
        closes=weights[:, continues & ~tag_set.stays_open] * borders.solid[:, None],
    )


def sum_both_ways(weights: Weights, steps: Steps, semiring: Semiring) -> Sums:
    outside, alone, opens, goes_on, closes = (array[steps.order] for array in weights)
    free = semiring.plus(outside, semiring.plus.reduce(alone, axis=1))
    forward = _sum(free, opens, goes_on, closes, steps.rows, semiring)
    backward = _sum(free, closes, goes_on, opens, steps.rows[::-1], semiring)
    sums = Sums(before=forward[0], after=backward[0], growth=backward[1])
    in_text = numpy.argsort(steps.order)
    return Sums(*(array[in_text] for array in sums))


def _sum(
    free: numpy.ndarray,
    opens: numpy.ndarray,
    goes_on: numpy.ndarray,
    closes: numpy.ndarray,
    rows: Iterable[slice],
    semiring: Semiring,
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Sum in one direction, for all parts at once. Backward, ``opens`` and ``closes`` are swapped.

    Returns, for each token, the ratio of each label before it, and the growth.
    """
    times, over, plus, zero, _ = semiring
    ratios, growth = numpy.empty_like(opens), numpy.empty_like(free)
    ratio = numpy.full_like(opens, zero)
    with numpy.errstate(over="ignore", under="ignore", invalid="ignore"):
        for step in rows:
            here = ratio[: step.stop - step.start]
            ratios[step] = here
            grown = plus(free[step], plus.reduce(times(here, closes[step]), axis=1))
            growth[step] = grown
            here[:] = over(plus(opens[step], times(here, goes_on[step])), grown[:, None])
    return ratios, growth


def is_safe(sums: numpy.ndarray) -> bool:
    """Whether all sums are in the range of floats."""
    return bool(((sums == 0) | ((sums > 1 / SAFE) & (sums < SAFE))).all())


def to_chain(weights: Weights, sums: Sums, semiring: Semiring) -> list[numpy.ndarray]:
    """The probabilities that ``Posteriors`` holds."""
    times, over, plus, zero, one = semiring
    opens, goes_on = times(weights.opens, sums.after), times(weights.goes_on, sums.after)
    inside = plus(weights.closes, goes_on)
    total = plus(sums.growth, plus.reduce(times(sums.before, inside), axis=1))
    inside[inside == zero] = one  # no entity comes from before: the condition is impossible
    return [
        over(weights.outside, total),
        over(weights.outside, sums.growth),
        over(weights.alone, total[:, None]),
        over(opens, total[:, None]),
        over(goes_on, inside),
        over(weights.closes, inside),
    ]
