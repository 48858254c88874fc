"""Exact probabilities of entities, given the tag scheme and a text's borders.

Each token's tag comes from its own softmax, under the condition that scheme and borders allow the
whole sequence. So the tags are a Markov chain: its state between two tokens is the label of the
entity that continues there, or none. Sums over all tag sequences, forward and backward, give the
chain.
"""

import heapq
from collections.abc import Iterator, Sequence

import numpy

from ..tags.decoding import Borders, Entity, Steps, may_go_on, parts_with, take_parts
from ..tags.tag_set import TagSet
from .forward_backward import LINEAR, LOG, Weights, is_safe, sum_both_ways, to_chain, weigh


class Posteriors:
    """Exact probabilities of entities, from tag probabilities.

    outside: the token is in no entity. *Shape:* (tokens,)
    stays_outside: the same, given that no entity continues from the previous token.
    alone: the token is a whole entity. *Shape:* (tokens, labels)
    opens: an entity of several tokens begins at the token.
    goes_on, closes: given that an entity with the label continues from the previous token, it
        continues after this one, or ends with it.
    """

    def __init__(self, probabilities: numpy.ndarray, borders: Borders, tag_set: TagSet) -> None:
        """probabilities: *Shape:* (tokens, tags), of one text, or several with borders between."""
        weights = weigh(probabilities, borders, tag_set)
        steps = Steps(~may_go_on(borders))
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
        """The probability of this entity, with exactly its borders and label."""
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


def entity_probabilities(
    probabilities: numpy.ndarray, borders: Borders, tag_set: TagSet, entities: Sequence[Entity]
) -> list[float]:
    """The probabilities of entities. probabilities: of tags. *Shape:* (tokens, tags)"""
    if not entities:
        return []
    kept = parts_with([start for start, _, _ in entities], borders)
    place = (numpy.cumsum(kept) - 1).tolist()
    posteriors = Posteriors(probabilities[kept], take_parts(borders, kept), tag_set)
    moved = ((place[start], place[start] + end - start, label) for start, end, label in entities)
    return list(map(posteriors.of, moved))
