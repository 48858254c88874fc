"""The plainer recurrent units of the Gang, GRU and RNN (paper, Figure 2)."""

import math

import torch
from torch import Tensor, nn

from .lstm import half_of
from .windows import Window


class Bidirectional(nn.Module):
    """A recurrent unit for each direction, with one input projection.

    A token's projection is computed once, although it is read in up to ``w`` windows; only
    the product with the state is left to the steps.
    """

    gates: int

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.hidden = half_of(width)
        rows = self.gates * self.hidden
        self.project = nn.Linear(width, 2 * rows)
        self.recur_right = nn.Linear(self.hidden, rows)
        self.recur_left = nn.Linear(self.hidden, rows)
        bound = 1 / math.sqrt(self.hidden)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, z: Tensor, window: Window) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width)."""
        rightward, leftward = self.project(z).chunk(2, dim=-1)
        states = [
            self._last_state(rightward, window.first, window.actives, +1, self.recur_right),
            self._last_state(leftward, window.last, window.actives, -1, self.recur_left),
        ]
        return torch.cat(states, dim=-1).index_select(0, window.unsort)

    def _last_state(
        self, inputs: Tensor, start: Tensor, actives: list[int], stride: int, recur: nn.Linear
    ) -> Tensor:
        """Step through all windows at once, those that have ended set aside.

        Windows come longest first, so that the ones still running are always a prefix.
        """
        ended: list[Tensor] = []
        h = None
        for step, active in enumerate(actives):
            if h is not None and active < len(h):
                ended.append(h[active:])
                h = h[:active]
            h = self._step(inputs.index_select(0, start[:active] + stride * step), h, recur)
        return torch.cat([*([] if h is None else [h]), *ended[::-1]])

    def _step(self, inputs: Tensor, h: Tensor | None, recur: nn.Linear) -> Tensor:
        """inputs: the projected tokens. *Shape:* (active, gates * width / 2).
        h: None at the first step. Returns: the next h. *Shape of both:* (active, width / 2)."""
        raise NotImplementedError


class GRU(Bidirectional):
    """Gated recurrent unit; gates in the order reset, update, new (as in PyTorch)."""

    gates = 3

    def _step(self, inputs: Tensor, h: Tensor | None, recur: nn.Linear) -> Tensor:
        recurrent = recur.bias.expand_as(inputs) if h is None else recur(h)
        r, u, n = inputs.chunk(3, dim=-1)
        rr, ru, rn = recurrent.chunk(3, dim=-1)
        update = torch.sigmoid(u + ru)
        new = torch.tanh(n + torch.sigmoid(r + rr) * rn)
        return new - update * new if h is None else new - update * new + update * h


class RNN(Bidirectional):
    """The plain recurrent unit: ``h = tanh(W z + U h + b)``."""

    gates = 1

    def _step(self, inputs: Tensor, h: Tensor | None, recur: nn.Linear) -> Tensor:
        return torch.tanh(inputs + (recur.bias if h is None else recur(h)))
