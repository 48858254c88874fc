"""Which steps a recurrent unit takes, so that no two steps read the same.

A unit that reads from the left has, after each step, the state of the window that ends there. So
windows that begin at the same token are one *run*: the windows of a text's first tokens,
all cut at its start, are beginnings of the longest of them; from the right, those of its
last tokens. In texts of 18 tokens, that saves an eighth of the steps of a window of 9.
"""

from dataclasses import dataclass

import numpy
import torch
from torch import Tensor


@dataclass(frozen=True)
class Runs:
    """Runs that are stepped together, longest first: those still going are the first ones."""

    rows: list[Tensor]
    """For each step, the row that each run still going reads. *Shape:* (going,)"""
    places: Tensor
    """Where each window's last state is among the states of all steps laid end to end.
    *Shape:* (windows,)"""


@dataclass(frozen=True)
class Reading:
    """All windows of a batch, read in one direction."""

    blocks: list[Runs]
    """The windows of the blocks, one after the other, are sorted by their runs."""
    order: Tensor
    """The token of each window, sorted so. *Shape:* (tokens,)"""
    unsort: Tensor
    """Place of each token's window, sorted so. *Shape:* (tokens,)"""


def share_runs(
    starts: numpy.ndarray,
    steps: numpy.ndarray,
    stride: int,
    device: torch.device,
    block: int | None = None,
) -> Reading:
    """Find the runs of windows that begin at the rows ``starts`` and have ``steps`` tokens.

    stride: from a token to the next, 1, or -1 for right to left.
    block: runs to step together at most; None is all of them.
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
    return Reading(blocks, to_device(order, device), to_device(unsort, device))


def to_device(array: numpy.ndarray, device: torch.device) -> Tensor:
    """The array as a tensor there; the host doesn't wait for it to arrive."""
    return torch.from_numpy(array).to(device, non_blocking=True)
