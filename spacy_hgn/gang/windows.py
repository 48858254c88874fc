"""Where each token's window begins and ends, for a batch of texts laid end to end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy
import torch
from torch import Tensor

from .runs import Reading, share_runs, to_device


@dataclass(frozen=True)
class Window:
    """The windows of one width around all tokens of a batch, cut at the ends of their text."""

    width: int
    left: numpy.ndarray
    """Neighbours that a token has to its left, at most k. *Shape:* (tokens,)"""
    right: numpy.ndarray
    """Neighbours that a token has to its right, at most k. *Shape:* (tokens,)"""
    device: torch.device

    @property
    def offsets(self) -> range:
        """Positions of the window relative to its token: -k ... k."""
        k = self.width // 2
        return range(-k, k + 1)

    def rightward(self, block: int | None = None) -> Reading:
        """Read the windows left to right. block: see ``share_runs``."""
        return share_runs(self._places - self.left, self._steps, +1, self.device, block)

    def leftward(self, block: int | None = None) -> Reading:
        """Read the windows right to left. block: see ``share_runs``."""
        return share_runs(self._places + self.right, self._steps, -1, self.device, block)

    def inside(self, offset: int) -> Tensor:
        """Whether each token's window has a neighbour at that offset. *Shape:* (tokens, 1)"""
        side = self.left if offset < 0 else self.right
        return to_device(side >= abs(offset), self.device).unsqueeze(1)

    def neighbour(self, values: Tensor, offset: int) -> Tensor:
        """Each token's neighbour at that offset, zeros where its window has none.

        values: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width).
        """
        rows = (self._places + offset).clip(0, max(len(values) - 1, 0))
        neighbours = values.index_select(0, to_device(rows, self.device))
        return neighbours.masked_fill(~self.inside(offset), 0)

    @cached_property
    def _places(self) -> numpy.ndarray:
        return numpy.arange(len(self.left))

    @property
    def _steps(self) -> numpy.ndarray:
        return self.left + self.right + 1


def cut_windows(lengths: Sequence[int], width: int, device: torch.device) -> Window:
    """Cut a window of ``width`` tokens around every token of texts of these lengths."""
    k = width // 2
    sizes = numpy.asarray(lengths, dtype="int64")
    ends = numpy.repeat(numpy.cumsum(sizes), sizes)
    rows = numpy.arange(int(sizes.sum()), dtype="int64")
    left = numpy.minimum(k, rows - (ends - numpy.repeat(sizes, sizes)))
    right = numpy.minimum(k, ends - 1 - rows)
    return Window(width, left, right, device)
