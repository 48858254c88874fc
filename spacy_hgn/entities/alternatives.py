"""The most probable entities in a part of a text."""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from .posteriors import Posteriors


class Alternative(NamedTuple):
    """A possible entity in a part of a text; the label "" is no entity in the whole part."""

    start: int
    end: int
    label: str
    score: float


def find_alternatives(
    posteriors: Posteriors, start: int, end: int, labels: Sequence[str], k: int
) -> list[Alternative]:
    """The k most probable entities with any of the tokens from start up to end, or no entity.

    Entities may extend beyond these tokens. Raises ValueError without tokens, or if k isn't
    positive.
    """
    if start >= end or k < 1:
        raise ValueError(
            f"Expected at least 1 token and 1 alternative, got {end - start} tokens and k = {k}."
        )
    found = [Alternative(start, end, "", posteriors.of_none(start, end))]
    for (first, after, label), score in islice(posteriors.ranked(start, end), k):
        found.append(Alternative(first, after, labels[label], score))
    return sorted(found, key=lambda each: -each.score)[:k]
