"""The other recurrent units of the Gang, GRU and RNN (paper, Figure 2)."""

import math

import torch
from torch import Tensor, nn

from .lstm import half_of
from .windows import Window, WindowRuns


class Bidirectional(nn.Module):
    """Two recurrent units, one per direction, with one input projection.

    A token's projection is computed once, although up to ``w`` windows read it. Each step only
    multiplies the state.
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
            self._last_states(rightward, window.rightward(), self.recur_right),
            self._last_states(leftward, window.leftward(), self.recur_left),
        ]
        return torch.cat(states, dim=-1)

    def _last_states(self, inputs: Tensor, reading: WindowRuns, recur: nn.Linear) -> Tensor:
        last = []
        for runs in reading.blocks:
            states: list[Tensor] = []
            for row in runs.rows:
                before = states[-1][: len(row)] if states else None
                states.append(self._step(inputs.index_select(0, row), before, recur))
            last.append(torch.cat(states).index_select(0, runs.places))
        return torch.cat(last).index_select(0, reading.unsort)

    def _step(self, inputs: Tensor, h: Tensor | None, recur: nn.Linear) -> Tensor:
        """inputs: the projected tokens. *Shape:* (going, gates * width / 2).
        h: None at the first step. Returns: the next h. *Shape of both:* (going, width / 2)."""
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
