"""What else a part of a text might be, the most probable first."""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from .posteriors import Posteriors


class Alternative(NamedTuple):
    """An entity that a part of a text may have, or "" for none in all of the part."""

    start: int
    end: int
    label: str
    score: float


def find_alternatives(
    posteriors: Posteriors, start: int, end: int, labels: Sequence[str], k: int
) -> list[Alternative]:
    """The k most probable entities among the tokens from start up to end, or that there is none.

    An entity may reach beyond these tokens. Raises ValueError unless there are tokens and k is
    positive.
    """
    if start >= end or k < 1:
        raise ValueError(
            f"Expected tokens and at least 1 alternative of them, got {end - start} tokens and "
            f"k = {k}."
        )
    found = [Alternative(start, end, "", posteriors.of_none(start, end))]
    for (first, after, label), score in islice(posteriors.ranked(start, end), k):
        found.append(Alternative(first, after, labels[label], score))
    return sorted(found, key=lambda each: -each.score)[:k]
