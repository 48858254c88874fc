"""Where each token's window begins and ends, for a batch of texts laid end to end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy
import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """The windows of one width around all tokens of a batch.

    A window is cut at the ends of its text. The recurrent units read ``first``, ``last``
    and ``actives``, which are sorted by the length of the window, longest first; ``unsort``
    brings the result back into the order of the text.
    """

    width: int
    left: Tensor
    """Neighbours that a token has to its left, at most k. *Shape:* (tokens,)"""
    right: Tensor
    """Neighbours that a token has to its right, at most k. *Shape:* (tokens,)"""
    first: Tensor
    """Row of the window's first token, windows sorted. *Shape:* (tokens,)"""
    last: Tensor
    """Row of the window's last token, windows sorted. *Shape:* (tokens,)"""
    unsort: Tensor
    """Place of each token among the sorted windows. *Shape:* (tokens,)"""
    actives: list[int]
    """For each step, how many windows are at least that long (on the host)."""

    @property
    def offsets(self) -> range:
        """Positions of the window relative to its token: -k ... k."""
        k = self.width // 2
        return range(-k, k + 1)

    @cached_property
    def _rows(self) -> Tensor:
        return torch.arange(len(self.left), device=self.left.device)

    def inside(self, offset: int) -> Tensor:
        """Whether each token's window has a neighbour at that offset. *Shape:* (tokens, 1)"""
        side, distance = (self.left, -offset) if offset < 0 else (self.right, offset)
        return (side >= distance).unsqueeze(1)

    def neighbour(self, values: Tensor, offset: int) -> Tensor:
        """Each token's neighbour at that offset, zeros where its window has none.

        values: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width).
        """
        rows = (self._rows + offset).clamp(0, max(len(values) - 1, 0))
        return values.index_select(0, rows).masked_fill(~self.inside(offset), 0)


def cut_windows(lengths: Sequence[int], width: int, device: torch.device) -> Window:
    """Cut a window of ``width`` tokens around every token of texts of these lengths."""
    k = width // 2
    sizes = numpy.asarray(lengths, dtype="int64")
    ends = numpy.cumsum(sizes)
    rows = numpy.arange(int(sizes.sum()), dtype="int64")
    left = numpy.minimum(k, rows - numpy.repeat(ends - sizes, sizes))
    right = numpy.minimum(k, numpy.repeat(ends, sizes) - 1 - rows)
    spans = left + right + 1
    order = numpy.argsort(-spans, kind="stable")
    unsort = numpy.empty_like(order)
    unsort[order] = rows
    longest = int(spans.max(initial=0))
    actives = [int((spans > step).sum()) for step in range(longest)]

    def to_device(values: numpy.ndarray) -> Tensor:
        return torch.from_numpy(values).to(device)

    return Window(
        width=width,
        left=to_device(left),
        right=to_device(right),
        first=to_device((rows - left)[order]),
        last=to_device((rows + right)[order]),
        unsort=to_device(unsort),
        actives=actives,
    )
