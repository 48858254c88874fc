"""Exact probabilities of entities, given the tag scheme and a text's constraints.

Each token's tag comes from its own softmax, under the condition that scheme and constraints allow
the whole sequence. So the tags are a Markov chain: its state between two tokens is the label of the
entity that continues there, or none. Sums over all tag sequences, forward and backward, give the
chain. They are computed along the text, for many texts at once.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy

from ..tags.decoding import (
    Entity,
    SpanConstraints,
    Steps,
    allowed_tags,
    may_go_on,
    parts_with,
    take_parts,
)
from ..tags.tag_set import TagSet

FLOOR = float(numpy.finfo("float32").tiny)  # a tag that underflowed is improbable, not forbidden
SAFE = 1e100  # from here, a step or two with factors of FLOOR stay within float64


def temper(probabilities: numpy.ndarray, temperature: float) -> numpy.ndarray:
    """The probabilities for logits divided by the temperature.

    *Shape of both:* (tokens, tags)
    """
    if temperature == 1:
        return probabilities
    relative = probabilities / probabilities.max(axis=1, keepdims=True)
    powers = relative.astype("float64") ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def entity_probabilities(
    probabilities: numpy.ndarray,
    constraints: SpanConstraints,
    tag_set: TagSet,
    entities: Sequence[Entity],
) -> list[float]:
    """The probabilities of entities. probabilities: of tags. *Shape:* (tokens, tags)"""
    if not entities:
        return []
    kept = parts_with([start for start, _, _ in entities], constraints)
    place = (numpy.cumsum(kept) - 1).tolist()
    posteriors = Posteriors(probabilities[kept], take_parts(constraints, kept), tag_set)
    moved = ((place[start], place[start] + end - start, label) for start, end, label in entities)
    return list(map(posteriors.of, moved))


class Posteriors:
    """Exact probabilities of entities, from tag probabilities.

    outside: the token is in no entity. *Shape:* (tokens,)
    stays_outside: the same, given that no entity continues from the previous token.
    alone: the token is a whole entity. *Shape:* (tokens, labels)
    opens: an entity of several tokens begins at the token.
    goes_on, closes: given that an entity with the label continues from the previous token, it
        continues after this one, or ends with it.
    """

    def __init__(
        self, probabilities: numpy.ndarray, constraints: SpanConstraints, tag_set: TagSet
    ) -> None:
        """probabilities: *Shape:* (tokens, tags), of texts that no entity crosses."""
        weights = weigh(probabilities, constraints, tag_set)
        steps = Steps(~may_go_on(constraints))
        sums = sum_both_ways(weights, steps, LINEAR)
        if all(map(is_safe, sums)):
            chain = to_chain(weights, sums, LINEAR)
        else:
            with numpy.errstate(divide="ignore"):  # forbidden becomes -inf
                weights = Weights(*map(numpy.log, weights))
            logs = to_chain(weights, sum_both_ways(weights, steps, LOG), LOG)
            chain = [numpy.exp(each) for each in logs]
        self.outside, self.stays_outside, self.alone, self.opens, self.goes_on, self.closes = chain

    def of(self, entity: Entity) -> float:
        """The probability of this entity, with exactly its boundaries and label."""
        start, end, label = entity
        if end - start == 1:
            return float(self.alone[start, label])
        inside = self.goes_on[start + 1 : end - 1, label].prod()
        return float(self.opens[start, label] * inside * self.closes[end - 1, label])

    def of_none(self, start: int, end: int) -> float:
        """The probability that no token from start up to end is in an entity."""
        return float(self.outside[start] * self.stays_outside[start + 1 : end].prod())

    def ranked(self, start: int, end: int) -> Iterator[tuple[Entity, float]]:
        """Entities with any of the tokens from start up to end, most probable first."""
        heap = [
            (-probability, is_whole, first, upto, label)
            for probability, is_whole, first, upto, label in self._begun(start, end)
        ]
        heapq.heapify(heap)
        while heap:
            negative, is_whole, first, upto, label = heapq.heappop(heap)
            if is_whole:
                yield (first, upto, label), -negative
                continue
            ways = ((True, self.closes[upto, label]), (False, self.goes_on[upto, label]))
            for is_whole, share in ways:
                if negative * share:
                    heapq.heappush(heap, (negative * share, is_whole, first, upto + 1, label))

    def _begun(self, start: int, end: int) -> Iterator[tuple[float, bool, int, int, int]]:
        """Beginnings of entities, up to their first token from start on, with probabilities.

        Yields probability, whether it is the whole entity, first token, token after, label.
        """
        for first in range(start, end):
            for is_whole, begun in ((True, self.alone[first]), (False, self.opens[first])):
                for label in numpy.flatnonzero(begun).tolist():
                    yield float(begun[label]), is_whole, first, first + 1, label
        reaches = numpy.ones(self.opens.shape[1])
        for first in range(start - 1, -1, -1):
            if not reaches.any():
                break
            begun = self.opens[first] * reaches
            for label in numpy.flatnonzero(begun).tolist():
                yield float(begun[label]), False, first, start, label
            reaches = reaches * self.goes_on[first]


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


def weigh(probabilities: numpy.ndarray, constraints: SpanConstraints, tag_set: TagSet) -> Weights:
    floored = numpy.maximum(probabilities, FLOOR, dtype="float64")
    weights = numpy.where(allowed_tags(constraints, tag_set), floored, 0.0)
    begins, continues = tag_set.begins, tag_set.continues
    return Weights(
        outside=weights[:, 0],
        alone=weights[:, begins & ~tag_set.stays_open],
        opens=weights[:, begins & ~tag_set.closed],
        goes_on=weights[:, continues & ~tag_set.closed],
        closes=weights[:, continues & ~tag_set.stays_open] * constraints.solid[:, None],
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
