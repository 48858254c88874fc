"""Prediction in blocks of tokens: neither a long Doc nor a large batch decides the memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy
import torch

Item = TypeVar("Item")

BLOCK_TOKENS = {"cpu": 2048, "cuda": 16384}
"""Tokens that are predicted at a time, by the type of the device."""


def block_size(device: torch.device) -> int:
    """How many tokens a device predicts at a time."""
    return BLOCK_TOKENS.get(device.type, BLOCK_TOKENS["cpu"])


class Block(NamedTuple):
    """Consecutive tokens of a batch, and the neighbours around them that their windows reach.

    low, high: the tokens that are read. lengths: how many of each text these are.
    kept: where among them the block's own are.
    """

    low: int
    high: int
    lengths: list[int]
    kept: slice


def cut_blocks(lengths: Sequence[int], size: int, reach: int) -> Iterator[Block]:
    """Cut texts that lie end to end into blocks. reach: neighbours on each side."""
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
    """Consecutive texts of at most ``size`` tokens together; a longer one by itself.

    count: the tokens of a text.
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
