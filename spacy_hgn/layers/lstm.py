"""The LSTM of the Gang, over all windows at once, with a backward pass written by hand.

Autograd would keep a copy of every gate's inputs and outputs and add up the gradients of the
shared projection slice by slice; here each step keeps its gates, and every product is one
large matrix product.

All four gates go through one sigmoid, since ``tanh(x) = 2 sigmoid(2x) - 1`` and a vectorized
sigmoid takes a fraction of the time of tanh: the cell gate's weights are doubled beforehand.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .windows import Window

# Windows stepped together: as many as keep a step's gates near the processor.
BLOCK_BYTES = 2**20


Kept = tuple[Tensor, Tensor, Tensor, Tensor | None]
"""Of one step: gates, cell, squashed cell, and the state before it, None at the first."""


class LSTM(nn.Module):
    """Two long short-term memories, one for each direction, with one input projection.

    A token's projection is computed once, although it is read in up to ``w`` windows; only
    the product with the state is left to the steps. Gates in the order input, forget,
    cell, output (as in PyTorch).
    """

    scale: Tensor

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.hidden = half_of(width)
        self.project = nn.Linear(width, 8 * self.hidden)
        self.recur_right = nn.Linear(self.hidden, 4 * self.hidden, bias=False)
        self.recur_left = nn.Linear(self.hidden, 4 * self.hidden, bias=False)
        bound = 1 / math.sqrt(self.hidden)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        doubled = torch.tensor([1.0, 1.0, 2.0, 1.0]).repeat_interleave(self.hidden)
        self.register_buffer("scale", doubled, persistent=False)

    def forward(self, z: Tensor, window: Window) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width)."""
        both = torch.cat([self.scale, self.scale])
        inputs = nn.functional.linear(
            z, self.project.weight * both.unsqueeze(1), self.project.bias * both
        )
        rightward, leftward = inputs.chunk(2, dim=-1)
        keep = torch.is_grad_enabled()
        recur_right, recur_left = (
            (recur.weight * self.scale.unsqueeze(1)).to(inputs.dtype)
            for recur in (self.recur_right, self.recur_left)
        )
        states = [
            _LastStates.apply(rightward, recur_right, window, True, keep),
            _LastStates.apply(leftward, recur_left, window, False, keep),
        ]
        return torch.cat(states, dim=-1).index_select(0, window.unsort)


def half_of(width: int) -> int:
    """The width of one direction's state. Raises ValueError for an odd width."""
    if width % 2:
        raise ValueError(
            f"The Gang's two directions share the Hero's width: expected an even width, got "
            f"{width}. Choose recurrence = 'mlp' or 'cnn', or another Hero."
        )
    return width // 2


class _LastStates(torch.autograd.Function):
    """The last state of every window read in one direction."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, recur: Tensor, window: Window, rightward: bool, keep: bool
    ) -> Tensor:
        """inputs: projected tokens. *Shape:* (tokens, 4 * hidden). recur: the weights of the
        state. *Shape:* (4 * hidden, hidden). keep: what the way back needs. Returns:
        *Shape:* (windows, hidden), sorted as the windows are."""
        hidden = recur.shape[1]
        # In bfloat16 the products are, and the states are kept in float32.
        dtype = torch.promote_types(inputs.dtype, torch.float32)
        last = inputs.new_empty(len(window.unsort), hidden, dtype=dtype)
        kept = []
        for block, rows in _steps_of_blocks(window, rightward, inputs):
            kept.append(_run(inputs, recur, rows, last[block], keep))
        ctx.save_for_backward(inputs, recur)
        ctx.window, ctx.rightward, ctx.kept = window, rightward, kept
        return last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_last: Tensor) -> tuple[Tensor | None, ...]:
        inputs, recur = ctx.saved_tensors
        d_inputs = torch.zeros_like(inputs)
        d_recur = torch.zeros_like(recur)
        blocks = _steps_of_blocks(ctx.window, ctx.rightward, inputs)
        for (block, rows), kept in zip(blocks, ctx.kept):
            _run_back(d_last[block], recur, rows, kept, d_inputs, d_recur)
        return d_inputs, d_recur, None, None, None


def _steps_of_blocks(
    window: Window, rightward: bool, inputs: Tensor
) -> Iterator[tuple[slice, list[Tensor]]]:
    """Blocks of windows, each with the rows that its windows read, step by step.

    Windows come longest first, so that those still running at a step are the first ones.
    """
    size = max(BLOCK_BYTES // (inputs.shape[1] * inputs.element_size()), 64)
    starts, stride = (window.first, 1) if rightward else (window.last, -1)
    for low in range(0, len(starts), size):
        block = starts[low : low + size]
        running = [min(active - low, size) for active in window.actives if active > low]
        rows = [block[:n] + stride * step for step, n in enumerate(running)]
        yield slice(low, low + size), rows


def _run(inputs: Tensor, recur: Tensor, rows: list[Tensor], h: Tensor, keep: bool) -> list[Kept]:
    """Step a block's windows to their last states, which are left in ``h``.

    Returns what the way back needs of each step, if it is to be kept.
    """
    kept: list[Kept] = []
    c = torch.zeros_like(h)
    for step, row in enumerate(rows):
        n = len(row)
        gates = inputs.index_select(0, row)
        # A copy: a view of the output would tie the graph to itself and hold its memory.
        before = h[:n].clone() if keep and step else None
        if step:
            gates.addmm_(h[:n].to(recur.dtype), recur.t())
        gates = gates.to(h.dtype).sigmoid_()
        i, f, g, o = gates.chunk(4, dim=-1)
        # c = f c + i (2g - 1), and h = o (2s - 1), where s = sigmoid(2c)
        cell = c[:n].mul_(f).sub_(i)
        cell.addcmul_(i, g, value=2)
        s = torch.mul(cell, 2).sigmoid_()
        torch.mul(o, s, out=h[:n]).mul_(2).sub_(o)
        if keep:
            kept.append((gates, cell.clone(), s, before))
    return kept


def _run_back(
    d_last: Tensor,
    recur: Tensor,
    rows: list[Tensor],
    kept: list[Kept],
    d_inputs: Tensor,
    d_recur: Tensor,
) -> None:
    """Go a block's steps back; add to the gradients of inputs and weights in place."""
    d_h = d_last.clone()
    d_c = torch.zeros_like(d_h)
    for step in range(len(rows) - 1, -1, -1):
        n = len(rows[step])
        gates, _, s, before = kept[step]
        i, f, g, o = gates.chunk(4, dim=-1)
        dh, dc = d_h[:n], d_c[:n]
        dc.addcmul_(dh * o, s * (1 - s), value=4)
        d_gates = torch.empty_like(gates)
        d_i, d_f, d_g, d_o = d_gates.chunk(4, dim=-1)
        torch.mul(dc, 2 * g - 1, out=d_i)
        if step:
            torch.mul(dc, kept[step - 1][1][:n], out=d_f)
        else:
            d_f.zero_()
        torch.mul(dh, 2 * s - 1, out=d_o)
        torch.mul(dc, i, out=d_g).mul_(2)
        d_gates.mul_(gates).mul_(1 - gates)
        d_inputs.index_add_(0, rows[step], d_gates)
        if before is not None:
            d_recur.addmm_(d_gates.t(), before)
            torch.mm(d_gates, recur, out=dh)
            dc.mul_(f)
