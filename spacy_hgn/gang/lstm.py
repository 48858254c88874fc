"""The LSTM of the Gang, over all windows at once, with a backward pass written by hand.

Autograd would copy the inputs and outputs of every gate, and sum the gradients of the shared
projection slice by slice. Here, each step stores its gates, and every product is one large matrix
product.

All gates use the sigmoid, because ``tanh(x) = 2 sigmoid(2x) - 1`` and a vectorized sigmoid takes a
fraction of the time of tanh. So the states are stored as halves,
``c / 2 = f (c / 2) + i (g - 1/2)`` and ``h / 2 = o (s - 1/2)``, where ``g`` is the sigmoid of twice
the cell gate's input and ``s = sigmoid(2c)``. The weights are scaled beforehand to compensate.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .windows import Runs, Window, WindowRuns

# On a CPU, the gates of one step for a block of runs must fit into the cache.
BLOCK_BYTES = 2**22

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input

Kept = tuple[Tensor, Tensor, Tensor, Tensor]
"""For all steps of a block: gates, half cells, squashed cells, half states."""


class LSTM(nn.Module):
    """Two LSTMs, one per direction, with one input projection.

    A token's projection is computed once, although up to ``w`` windows read it. Each step only
    multiplies the state. Gates are in the order input, forget, cell, output, as in PyTorch.
    """

    scale: Tensor

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
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
        from_left, from_right = self._readings(window, self._runs_together(inputs))
        halves = [
            self._half_states(rightward, self.recur_right, from_left),
            self._half_states(leftward, self.recur_left, from_right),
        ]
        return torch.cat(halves, dim=-1) * 2

    def _readings(self, window: Window, block: int | None) -> tuple[WindowRuns, WindowRuns]:
        return window.rightward(block), window.leftward(block)

    def _half_states(self, inputs: Tensor, recur: nn.Linear, reading: WindowRuns) -> Tensor:
        weights = recur.weight * (2 * self.scale).unsqueeze(1)
        return _HalfStates.apply(inputs, weights.to(inputs.dtype), reading, torch.is_grad_enabled())

    def _runs_together(self, inputs: Tensor) -> int | None:
        if inputs.device.type != "cpu":
            return None
        return max(BLOCK_BYTES // (4 * self.hidden * inputs.element_size()), 64)


def half_of(width: int) -> int:
    """The width of one direction's state. Raises ValueError for an odd width."""
    if width % 2:
        raise ValueError(
            f"The Gang's two directions share the Hero's width: expected an even width, got "
            f"{width}. Choose a recurrence without directions, such as 'cnn', or another Hero."
        )
    return width // 2


class _HalfStates(torch.autograd.Function):
    """Half the last state of every window read in one direction."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, recur: Tensor, reading: WindowRuns, keep: bool) -> Tensor:
        """inputs: projected tokens. *Shape:* (tokens, 4 * hidden). recur: the weights of the
        half state. *Shape:* (4 * hidden, hidden). keep: store what the backward pass needs.
        Returns: *Shape:* (tokens, hidden)."""
        last, kept = [], []
        for runs in reading.blocks:
            block = _run(inputs, recur, runs.rows, keep)
            last.append(block[-1].index_select(0, runs.places))
            if keep:
                kept.append(block)
        ctx.save_for_backward(inputs, recur)
        ctx.reading, ctx.kept = reading, kept
        return torch.cat(last).index_select(0, reading.unsort)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_last: Tensor) -> tuple[Tensor | None, ...]:
        inputs, recur = ctx.saved_tensors
        d_inputs = torch.zeros_like(inputs, dtype=d_last.dtype)
        d_recur = torch.zeros_like(recur, dtype=d_last.dtype)
        sizes = [len(runs.places) for runs in ctx.reading.blocks]
        of_blocks = d_last.index_select(0, ctx.reading.order).split(sizes)
        for d_block, runs, kept in zip(of_blocks, ctx.reading.blocks, ctx.kept):
            _run_back(d_block, recur, runs, kept, d_inputs, d_recur)
        return d_inputs.to(inputs.dtype), d_recur.to(recur.dtype), None, None


def _run(inputs: Tensor, recur: Tensor, rows: list[Tensor], keep: bool) -> Kept:
    """Run all steps of a block.

    Returns the half states of all steps, concatenated, and the rest of ``Kept``, which is
    complete only with ``keep``.
    """
    # Products may be in bfloat16; states are in float32.
    dtype = torch.promote_types(inputs.dtype, torch.float32)
    most, hidden = len(rows[0]), recur.shape[1]
    steps = sum(len(row) for row in rows)
    depth = steps if keep else most
    products = inputs.new_empty(most, 4 * hidden)
    gates = inputs.new_empty(depth, 4 * hidden, dtype=dtype)
    cells, squashed = inputs.new_empty(2, depth, hidden, dtype=dtype)
    states = inputs.new_empty(steps, hidden, dtype=dtype)
    low, before = 0, slice(0, 0)
    for row in rows:
        n = len(row)
        here = slice(low, low + n)
        place = here if keep else slice(0, n)
        product = torch.index_select(inputs, 0, row, out=products[:n])
        if low:
            product.addmm_(states[before][:n].to(recur.dtype), recur.t())
        i, f, g, o = torch.sigmoid(product.to(dtype), out=gates[place]).chunk(4, dim=-1)
        c, s, h = cells[place], squashed[place], states[here]
        if low:
            torch.mul(cells[before if keep else place][:n], f, out=c).addcmul_(i, g)
        else:
            torch.mul(i, g, out=c)
        c.sub_(i, alpha=0.5)
        torch.mul(c, 4, out=s).sigmoid_()
        torch.mul(o, s, out=h).sub_(o, alpha=0.5)
        low, before = low + n, here
    return gates, cells, squashed, states


def _run_back(
    d_last: Tensor, recur: Tensor, runs: Runs, kept: Kept, d_inputs: Tensor, d_recur: Tensor
) -> None:
    """Run the backward pass of a block; add to the gradients of inputs and weights in place."""
    gates, cells, squashed, states = kept
    d_states = torch.zeros_like(states).index_add_(0, runs.places, d_last)
    d_cells = states.new_zeros(len(runs.rows[0]), states.shape[1])
    products = gates.new_empty(len(d_cells), gates.shape[1])
    high = len(states)
    for step, row in reversed(list(enumerate(runs.rows))):
        n = len(row)
        here = slice(high - n, high)
        i, f, g, o = gates[here].chunk(4, dim=-1)
        s, d_h, d_c = squashed[here], d_states[here], d_cells[:n]
        d_s = d_h * o
        d_c.add_(sigmoid_backward(d_s, s, grad_input=d_s), alpha=4)
        d_gates = products[:n]
        d_i, d_f, d_g, d_o = d_gates.chunk(4, dim=-1)
        torch.mul(d_c, g, out=d_i).sub_(d_c, alpha=0.5)
        torch.mul(d_c, i, out=d_g)
        torch.mul(d_h, s, out=d_o).sub_(d_h, alpha=0.5)
        high -= n
        if step:
            before = slice(high - len(runs.rows[step - 1]), high)
            torch.mul(d_c, cells[before][:n], out=d_f)
        else:
            d_f.zero_()
        sigmoid_backward(d_gates, gates[here], grad_input=d_gates)
        d_inputs.index_add_(0, row, d_gates)
        if step:
            d_products = d_gates.to(recur.dtype)
            _add_product(d_recur, d_products.t(), states[before][:n].to(recur.dtype))
            _add_product(d_states[before][:n], d_products, recur)
            d_c.mul_(f)


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    if a.dtype == total.dtype:
        total.addmm_(a, b)
    else:
        total.add_(a @ b)
