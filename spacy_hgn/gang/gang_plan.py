"""The plan of all windows of a batch on a GPU: runs of tokens, and the order of their steps.

A unit reads its windows from the left. A unit that reads from the right does the same in the
mirrored text, so all positions below count from the side where the unit begins. Windows that begin
at the same token are one *run* (see ``windows.py``), with as many steps as the longest of them.
Runs are sorted by length, so that at each step the active ones come first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor


@dataclass(frozen=True)
class GangPlan:
    """The steps of all windows and directions. Units: window 1 rightward, leftward, window 2 ...

    going: the number of active runs of each window at each step, on the host; 0 after the last
        step. *Shape:* (steps + 1, windows)
    first_rows: rows are ordered by unit, step and run. The first row of each unit, and at the end
        the number of rows. *Shape:* (units + 1,)
    table: 32-bit integers on the device: the following arrays, concatenated. ``column`` is the
        padded length of a column in the first four.

        1. for each token, the first token of its text, 2. the last
        3. for each window, the tokens where its runs begin
        4. for each window, the run that begins at each token, or -1
        5. ``going``
        6. the first row of each step and unit. *Shape:* (steps + 1, units)
        7. the number of runs of all earlier units. *Shape:* (units,)
        8. the reach of each window to either side. *Shape:* (windows,)
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
        """The number of runs of all units."""
        return 2 * int(self.going[0].sum())

    @property
    def second_rows(self) -> numpy.ndarray:
        """The first row of each unit's second step. *Shape:* (units,)"""
        return self.first_rows[:-1] + self.going[0].repeat(2)

    @property
    def rows(self) -> int:
        return int(self.first_rows[-1])


def plan_gang(lengths: Sequence[int], windows: Sequence[int], device: torch.device) -> GangPlan:
    """Plan the windows around every token. lengths: of the texts, at least one above 0."""
    sizes = numpy.asarray(lengths, dtype="int32")
    tokens = int(sizes.sum())
    column = tokens + -tokens % 4  # kernels are compiled for columns aligned to 16 bytes
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
    of_units = numpy.repeat(going, 2, axis=1)  # both directions have the same number
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
    """Find the runs of one window, and fill ``begins`` and ``run_of``.

    *Shape of all arrays:* (tokens,). Returns the number of active runs at each step.
    *Shape:* (steps,)
    """
    places = numpy.arange(len(first), dtype="int32")
    (found,) = numpy.nonzero((places == first) | (places + reach <= last))
    lengths = numpy.minimum(2 * reach + 1, last[found] - found + 1).astype("int16")
    found = found[numpy.argsort(-lengths, kind="stable")]
    begins[: len(found)] = found
    run_of[:] = -1
    run_of[found] = places[: len(found)]
    return len(found) - numpy.cumsum(numpy.bincount(lengths, minlength=steps))[:steps]
