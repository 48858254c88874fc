"""Many lists in one array, list i being ``values[ends[i]:ends[i + 1]]``, and texts in groups."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import TypeVar

import numpy
from numpy import ndarray

Item = TypeVar("Item")


def join_lists(lists: Sequence[Sequence[int]]) -> tuple[ndarray, ndarray]:
    """Concatenate lists. Returns the values and the ends."""
    ends = ends_of([len(values) for values in lists])
    return numpy.fromiter(chain.from_iterable(lists), "int64", ends[-1]), ends


def split(values: ndarray, ends: ndarray) -> list[ndarray]:
    """Split values into lists, each a view."""
    return [values[start:end] for start, end in pairwise(ends.tolist())]


def ends_of(lengths: Sequence[int] | ndarray) -> ndarray:
    """The beginning of each list, and the end of the last. *Shape:* (lists + 1,)"""
    ends = numpy.zeros(len(lengths) + 1, dtype="int64")
    numpy.cumsum(lengths, out=ends[1:])
    return ends


def ranges(starts: ndarray, lengths: ndarray) -> ndarray:
    """``range(start, start + length)`` for each pair, concatenated."""
    ends = ends_of(lengths)
    return numpy.arange(ends[-1]) + numpy.repeat(starts - ends[:-1], lengths)


def group_texts(
    texts: Iterable[Item], size: int, count: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Group consecutive texts with at most ``size`` tokens in total; a longer text is alone.

    count: returns the number of tokens of a text.
    """
    group: list[Item] = []
    tokens = 0
    for text in texts:
        if group and tokens + count(text) > size:
            yield group
            group, tokens = [], 0
        group.append(text)
        tokens += count(text)
    if group:
        yield group
