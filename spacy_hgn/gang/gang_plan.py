"""Which runs of tokens all windows of a batch read, and in which order: what a GPU steps together.

A unit reads its windows from the left; one that reads from the right does the same in the mirrored
text, so every place below is counted as if read from the left. Windows that begin at the same
token are one *run* (see ``windows.py``): it takes as many steps as the longest of them. Runs are
sorted by their length, so that those still going at a step are the first ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor


@dataclass(frozen=True)
class GangPlan:
    """The steps of all windows and directions. Units are window 1 rightward, leftward, window 2 ...

    going: how many runs of each window take each step, on the host; after the last step none do.
        *Shape:* (steps + 1, windows)
    first_rows: there is a row for each unit, step and run, in this order. Where each unit's begin;
        at the end, how many there are. *Shape:* (units + 1,)
    table: on the device, whole numbers of 32 bits, the following laid end to end; ``column`` is
        the length of the first four's columns, with padding.

        1. the first token of each token's text, 2. the last
        3. of each window, the tokens where its runs begin
        4. of each window, the run that begins at each token, or -1
        5. ``going``
        6. where the rows of each step and unit begin. *Shape:* (steps + 1, units)
        7. how many runs earlier units have. *Shape:* (units,)
        8. how far each window reaches to either side. *Shape:* (windows,)
    """

    tokens: int
    column: int
    going: numpy.ndarray
    first_rows: numpy.ndarray
    table: Tensor

    @property
    def steps(self) -> int:
        return len(self.going) - 1

    @property
    def runs(self) -> int:
        """Those of all units."""
        return 2 * int(self.going[0].sum())

    @property
    def second_rows(self) -> numpy.ndarray:
        """Where the rows of each unit's second step begin. *Shape:* (units,)"""
        return self.first_rows[:-1] + self.going[0].repeat(2)

    @property
    def rows(self) -> int:
        return int(self.first_rows[-1])


def plan_gang(lengths: Sequence[int], windows: Sequence[int], device: torch.device) -> GangPlan:
    """Plan the windows around every token of texts of these lengths; at least one has tokens."""
    sizes = numpy.asarray(lengths, dtype="int32")
    tokens = int(sizes.sum())
    column = tokens + -tokens % 4  # kernels are compiled for columns that begin at 16 bytes
    steps = min(max(windows), int(sizes.max()))
    going = numpy.zeros((steps + 1, len(windows)), dtype="int32")
    rest = going.size + 2 * going.size + 3 * len(windows)
    size = (2 + 2 * len(windows)) * column + rest
    table = torch.empty(size, dtype=torch.int32, pin_memory=device.type == "cuda")
    columns = table[: size - rest].numpy().reshape(-1, column)[:, :tokens]
    first, last, *of_windows = columns
    ends = numpy.cumsum(sizes)
    last[:] = numpy.repeat(ends - 1, sizes)
    first[:] = numpy.repeat(ends - sizes, sizes)
    for m, width in enumerate(windows):
        begins, run_of = of_windows[m], of_windows[len(windows) + m]
        going[:-1, m] = _sort_runs(first, last, width // 2, steps, begins, run_of)
    of_units = numpy.repeat(going, 2, axis=1)  # both directions have as many
    of_unit = of_units.sum(axis=0)
    first_rows = numpy.cumsum([0, *of_unit])
    rows = numpy.cumsum(of_units, axis=0) - of_units + first_rows[:-1]
    unit_runs = numpy.cumsum(of_units[0]) - of_units[0]
    reaches = [width // 2 for width in windows]
    table[size - rest :].numpy()[:] = numpy.concatenate(
        [going.ravel(), rows.ravel(), unit_runs, reaches]
    )
    return GangPlan(tokens, column, going, first_rows, table.to(device, non_blocking=True))


def _sort_runs(
    first: numpy.ndarray,
    last: numpy.ndarray,
    reach: int,
    steps: int,
    begins: numpy.ndarray,
    run_of: numpy.ndarray,
) -> numpy.ndarray:
    """Find one window's runs: fill ``begins`` and ``run_of``.

    *Shape of all arrays:* (tokens,). Returns how many runs take each step. *Shape:* (steps,)
    """
    places = numpy.arange(len(first), dtype="int32")
    (found,) = numpy.nonzero((places == first) | (places + reach <= last))
    lengths = numpy.minimum(2 * reach + 1, last[found] - found + 1).astype("int16")
    found = found[numpy.argsort(-lengths, kind="stable")]
    begins[: len(found)] = found
    run_of[:] = -1
    run_of[found] = places[: len(found)]
    return len(found) - numpy.cumsum(numpy.bincount(lengths, minlength=steps))[:steps]
