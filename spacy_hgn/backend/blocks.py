"""Prediction in blocks of tokens, to bound the memory for long Docs and large batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy
import torch

Item = TypeVar("Item")

BLOCK_TOKENS = {"cpu": 2048, "cuda": 16384}
"""Maximum number of tokens per block, by device type."""


def block_size(device: torch.device) -> int:
    """The maximum number of tokens per block on a device."""
    return BLOCK_TOKENS.get(device.type, BLOCK_TOKENS["cpu"])


class Block(NamedTuple):
    """Consecutive tokens of a batch, with the neighbours in their windows.

    low, high: the range of tokens to read. lengths: the number of these tokens in each text.
    kept: the block's own tokens, as a slice of the range.
    """

    low: int
    high: int
    lengths: list[int]
    kept: slice


def cut_blocks(lengths: Sequence[int], size: int, reach: int) -> Iterator[Block]:
    """Cut concatenated texts into blocks. reach: the number of neighbours on each side."""
    total = sum(lengths)
    if not total:
        return
    if total <= size:
        yield Block(0, total, list(lengths), slice(None))
        return
    bounds = numpy.cumsum([0, *lengths])
    for first in range(0, total, size):
        after = min(first + size, total)
        low = max(first - reach, int(bounds[bounds <= first][-1]))
        high = min(after + reach, int(bounds[bounds >= after][0]))
        within = numpy.diff(bounds.clip(low, high))
        yield Block(low, high, within[within > 0].tolist(), slice(first - low, after - low))


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
