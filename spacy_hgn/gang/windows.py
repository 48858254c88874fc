"""The window around each token, for concatenated texts, and the steps of a recurrent unit over
all windows, without repeating any.

After each step, a unit that reads from the left has the state of the window that ends there. So
windows that begin at the same token are one *run*: the windows of a text's first tokens, which are
all cut at its start, are beginnings of the longest of them. From the right, this holds for its
last tokens. In texts of 18 tokens, it saves an eighth of the steps of a window of 9.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy
import torch
from torch import Tensor


@dataclass(frozen=True)
class Runs:
    """Runs that are stepped together, longest first, so that active ones come first."""

    rows: list[Tensor]
    """For each step, the row that each active run reads. *Shape:* (active runs,)"""
    places: Tensor
    """The index of each window's last state in the concatenated states of all steps.
    *Shape:* (windows,)"""


@dataclass(frozen=True)
class WindowRuns:
    """All windows of a batch, read in one direction."""

    blocks: list[Runs]
    """Blocks of runs. Their windows are sorted by run."""
    order: Tensor
    """The token of each window in this order. *Shape:* (tokens,)"""
    unsort: Tensor
    """The place of each token's window in this order. *Shape:* (tokens,)"""


@dataclass(frozen=True)
class Window:
    """The windows of one width around all tokens of a batch, cut at the ends of the texts."""

    width: int
    left: numpy.ndarray
    """The number of neighbours to the left, at most k. *Shape:* (tokens,)"""
    right: numpy.ndarray
    """The number of neighbours to the right, at most k. *Shape:* (tokens,)"""
    device: torch.device

    @property
    def offsets(self) -> range:
        """Positions of the window relative to its token: -k ... k."""
        k = self.width // 2
        return range(-k, k + 1)

    def rightward(self, block: int | None = None) -> WindowRuns:
        """Read the windows left to right. block: see ``share_runs``."""
        return share_runs(self._places - self.left, self._steps, +1, self.device, block)

    def leftward(self, block: int | None = None) -> WindowRuns:
        """Read the windows right to left. block: see ``share_runs``."""
        return share_runs(self._places + self.right, self._steps, -1, self.device, block)

    def rightward_to_token(self, block: int | None = None) -> WindowRuns:
        """Read left to right, from the window's left end to its token. block: as above."""
        return share_runs(self._places - self.left, self.left + 1, +1, self.device, block)

    def leftward_to_token(self, block: int | None = None) -> WindowRuns:
        """Read right to left, from the window's right end to its token. block: as above."""
        return share_runs(self._places + self.right, self.right + 1, -1, self.device, block)

    def inside(self, offset: int) -> Tensor:
        """Whether each token's window has a neighbour at an offset. *Shape:* (tokens, 1)"""
        side = self.left if offset < 0 else self.right
        return to_device(side >= abs(offset), self.device).unsqueeze(1)

    def neighbour(self, values: Tensor, offset: int) -> Tensor:
        """Each token's neighbour at an offset, or zeros if its window has none.

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
    """Cut a window of ``width`` tokens around every token. lengths: of the texts."""
    k = width // 2
    sizes = numpy.asarray(lengths, dtype="int64")
    ends = numpy.repeat(numpy.cumsum(sizes), sizes)
    rows = numpy.arange(int(sizes.sum()), dtype="int64")
    left = numpy.minimum(k, rows - (ends - numpy.repeat(sizes, sizes)))
    right = numpy.minimum(k, ends - 1 - rows)
    return Window(width, left, right, device)


def share_runs(
    starts: numpy.ndarray,
    steps: numpy.ndarray,
    stride: int,
    device: torch.device,
    block: int | None = None,
) -> WindowRuns:
    """Find the runs of windows that begin at the rows ``starts`` and have ``steps`` tokens.

    stride: 1 for left to right, -1 for right to left.
    block: the maximum number of runs to step together; None is all.
    """
    longest = numpy.zeros(len(starts), dtype="int64")
    numpy.maximum.at(longest, starts, steps)
    (first,) = numpy.nonzero(longest)
    first = first[numpy.argsort(-longest[first], kind="stable")]
    number = numpy.zeros_like(longest)
    number[first] = numpy.arange(len(first))
    runs = number[starts]
    order = numpy.argsort(runs, kind="stable")
    unsort = numpy.empty_like(order)
    unsort[order] = numpy.arange(len(order))
    runs, ends = runs[order], steps[order] - 1
    blocks = []
    for low in range(0, len(first), block or len(first)):
        begins = first[low : low + (block or len(first))]
        left, right = numpy.searchsorted(runs, [low, low + len(begins)])
        going = numpy.array([(longest[begins] > step).sum() for step in range(longest[begins[0]])])
        before = numpy.cumsum(going) - going
        places = before[ends[left:right]] + runs[left:right] - low
        there = to_device(begins, device)
        rows = [there[:n] + stride * step for step, n in enumerate(going)]
        blocks.append(Runs(rows, to_device(places, device)))
    return WindowRuns(blocks, to_device(order, device), to_device(unsort, device))


def to_device(array: numpy.ndarray, device: torch.device) -> Tensor:
    """Copy an array to a device, without waiting for the copy."""
    return torch.from_numpy(array).to(device, non_blocking=True)
