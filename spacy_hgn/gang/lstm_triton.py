"""The LSTM of the Gang on a GPU: one kernel per step for all windows and both directions.

``lstm.py`` defines what is computed, and the tests compare the two. There, a step is a gather, a
product and some ten operations on gates, for each window and direction. On a GPU, their launches
and memory accesses cost several times as much as the products.

Products have the inputs' type and sums in float32: bfloat16, or float32 by three TF32 products
("tf32x3"), which is as accurate as float32. Cells are float32.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from . import lstm_kernels as kernels
from .gang_plan import GangPlan, plan_gang

# Runs, columns of the state and depth of the products per program of a kernel.
STEP = {"RUNS": 128, "COLUMNS": 64, "DEPTH": 64, "num_warps": 8, "num_stages": 3}
MULTIPLY_BACK = {"RUNS": 128, "COLUMNS": 128, "DEPTH": 64, "num_warps": 8, "num_stages": 3}
IN_FLOAT32 = {"RUNS": 64, "COLUMNS": 32, "DEPTH": 32, "num_warps": 4, "num_stages": 3}
BACK_IN_FLOAT32 = {"RUNS": 128, "COLUMNS": 128, "DEPTH": 32, "num_warps": 8, "num_stages": 3}
STEP_BACK = {"RUNS": 4, "COLUMNS": 512, "num_warps": 4}
SUM_OVER_RUNS = {"TOKENS": 8, "COLUMNS": 256, "num_warps": 4}


def read_windows(z: Tensor, lstms: Sequence[Any], lengths: Sequence[int]) -> Tensor:
    """Compute the vectors of all windows of all tokens, as the ``LSTM`` of each window does.

    z: *Shape:* (tokens, width). lstms: one per window. Returns: *Shape:* (tokens, windows, width).
    """
    weights = torch.cat([lstm.project.weight for lstm in lstms])
    bias = torch.cat([lstm.project.bias for lstm in lstms])
    projected = nn.functional.linear(z, weights, bias)
    directions = [(lstm.recur_right, lstm.recur_left) for lstm in lstms]
    recur = torch.stack([linear.weight for pair in directions for linear in pair])
    recur = recur.to(projected.dtype)
    # The host plans while the device computes the above.
    plan = plan_gang(lengths, [lstm.window for lstm in lstms], z.device)
    states = _LastStates.apply(projected, recur, plan, torch.is_grad_enabled())
    return states.view(len(z), len(lstms), -1)


def probe(device: torch.device) -> bool:
    """Compile and run the smallest kernel. Raises Triton's error if that fails."""
    out = torch.zeros(1, dtype=torch.int32, device=device)
    with torch.cuda.device(device):
        kernels.write_one[(1,)](out)
    return bool(out.item() == 1)


class _LastStates(torch.autograd.Function):
    """The last states of all windows, in both directions."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, recur: Tensor, plan: GangPlan, keep: bool) -> Tensor:
        """projected: tokens, for each unit's gates. *Shape:* (tokens, units * 4 * hidden).
        recur: *Shape:* (units, 4 * hidden, hidden). keep: store what the backward pass needs.
        Returns: *Shape:* (tokens, units, hidden)."""
        units, _, hidden = recur.shape
        last = projected.new_empty(plan.tokens, units, hidden)
        cells = projected.new_empty(plan.runs, hidden, dtype=torch.float32)
        # A row has the state before its step. Without a backward pass, two steps are stored.
        states = projected.new_empty(plan.rows if keep else 2 * plan.runs, hidden)
        kept_gates = projected.new_empty(plan.rows if keep else 0, 4 * hidden)
        kept_cells = projected.new_empty(plan.rows if keep else 0, hidden)
        arrays = (projected, recur, states, cells, kept_gates, kept_cells, last)
        sizes = _sizes(hidden, max(kept_gates.numel(), projected.numel()))
        in_float32 = projected.dtype == torch.float32
        block = _fit(IN_FLOAT32 if in_float32 else STEP, hidden, projected, tables=4)
        with torch.cuda.device_of(projected):
            for step in range(plan.steps):
                kernels.step[_grid(plan, step, block, hidden)](
                    *arrays, plan.table, plan.column, plan.steps, units, step, plan.runs,
                    FIRST=step == 0, KEEP=keep, PRECISION=_precision(), **sizes, **block,
                )  # fmt: skip
        ctx.save_for_backward(recur, states, kept_gates, kept_cells)
        ctx.plan = plan
        return last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_last: Tensor) -> tuple[Tensor | None, ...]:
        recur, states, gates, kept_cells = ctx.saved_tensors
        plan: GangPlan = ctx.plan
        with torch.cuda.device_of(gates):
            d_gates = _gates_back(plan, d_last.contiguous(), recur, gates, kept_cells)
            d_projected = _inputs_back(plan, d_gates, len(recur))
        d_recur = torch.stack(
            [
                d_gates[second:end].t() @ states[second:end]
                for second, end in zip(plan.second_rows, plan.first_rows[1:])
            ]
        )
        return d_projected, d_recur, None, None


def _gates_back(
    plan: GangPlan, d_last: Tensor, recur: Tensor, gates: Tensor, kept_cells: Tensor
) -> Tensor:
    """The gradients of all steps' gates. *Shape:* (rows, 4 * hidden)"""
    units, _, hidden = recur.shape
    recur = recur.mT.contiguous()  # TF32 products need the depth to be contiguous
    d_cells = d_last.new_empty(plan.runs, hidden, dtype=torch.float32)
    d_states = gates.new_empty(plan.runs, hidden)
    d_gates = torch.empty_like(gates)
    table = (plan.table, plan.column, plan.steps, units)
    sizes = _sizes(hidden, gates.numel())
    in_float32 = gates.dtype == torch.float32
    multiply = _fit(BACK_IN_FLOAT32 if in_float32 else MULTIPLY_BACK, hidden, gates, tables=1)
    block = _narrow(STEP_BACK, hidden)
    for step in reversed(range(plan.steps)):
        if step + 1 < plan.steps:
            kernels.multiply_back[_grid(plan, step + 1, multiply, hidden)](
                d_gates, recur, d_states, *table, step + 1,
                PRECISION=_precision(), **sizes, **multiply,
            )  # fmt: skip
        kernels.step_back[_grid(plan, step, block, hidden)](
            d_last, d_states, gates, kept_cells, d_cells, d_gates, *table, step,
            FIRST=step == 0, **sizes, **block,
        )  # fmt: skip
    return d_gates


def _inputs_back(plan: GangPlan, d_gates: Tensor, units: int) -> Tensor:
    """The gradients of the projected tokens. *Shape:* (tokens, units * 4 * hidden)"""
    width = d_gates.shape[1]
    d_projected = d_gates.new_empty(plan.tokens, units * width)
    block = _narrow(SUM_OVER_RUNS, width)
    grid = (triton.cdiv(plan.tokens, block["TOKENS"]), triton.cdiv(width, block["COLUMNS"]), units)
    kernels.sum_over_runs[grid](
        d_gates, d_projected, plan.table, plan.column, plan.steps, units, plan.tokens,
        **_sizes(width // 4, d_gates.numel()), **block,
    )  # fmt: skip
    return d_projected


def _grid(plan: GangPlan, step: int, block: dict[str, int], hidden: int) -> tuple[int, int, int]:
    """Programs for a step: blocks of active runs, blocks of columns, units."""
    most = int(plan.going[step].max())
    units = 2 * plan.going.shape[1]
    return triton.cdiv(most, block["RUNS"]), triton.cdiv(hidden, block["COLUMNS"]), units


def _sizes(hidden: int, largest: int) -> dict[str, Any]:
    """largest: size of the largest array, which sets the type of indices."""
    return {"HIDDEN": hidden, "INDEX": tl.int32 if largest < 2**31 else tl.int64}


def _narrow(block: dict[str, int], columns: int) -> dict[str, int]:
    """The block, limited to the number of columns; products need at least 16."""
    most = max(1 << (columns - 1).bit_length(), 16)
    return {k: min(v, most) if k in ("COLUMNS", "DEPTH") else v for k, v in block.items()}


def _fit(block: dict[str, int], hidden: int, like: Tensor, tables: int) -> dict[str, int]:
    """The block of a product, with as many pipeline stages as fit into shared memory.

    like: a tensor of the product's type and device. tables: the number of weight matrices.
    """
    block = _narrow(block, hidden)
    rows = block["RUNS"] + tables * block["COLUMNS"]
    stages = _shared_memory(like.device) // (rows * block["DEPTH"] * like.element_size())
    return {**block, "num_stages": max(1, min(block["num_stages"], stages))}


@cache
def _shared_memory(device: torch.device) -> int:
    """Bytes of shared memory per program."""
    if device.type != "cuda":
        return 2**16
    found = torch.cuda.get_device_properties(device)
    return getattr(found, "shared_memory_per_block_optin", found.shared_memory_per_block)


def _precision() -> str:
    """The precision of float32 products: TF32 if torch allows it, otherwise as in float32."""
    return "tf32" if torch.backends.cuda.matmul.allow_tf32 else "tf32x3"
