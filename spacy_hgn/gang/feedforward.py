"""The Gang's units without recurrence, MLP and CNN (paper, Figure 2)."""

import math

import torch
from torch import Tensor, nn

from .windows import Window


class MLP(nn.Module):
    """One layer over the concatenated window: ``h_i = tanh(sum_o W_o z[i+o] + b)``.

    Positions outside the text add nothing to the sum.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.project = nn.Linear(width * window, width)

    def forward(self, z: Tensor, window: Window) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width)."""
        positions = [window.neighbour(z, o) for o in window.offsets]
        return torch.tanh(self.project(torch.cat(positions, dim=-1)))


class CNN(nn.Module):
    """A convolution of width 3 inside the window, then the maximum over its positions.

    ``c_j = relu(W_- z[j-1] + W_0 z[j] + W_+ z[j+1] + b)``, ``h_i = max_j c_j``. Neighbours
    outside the window or the text add nothing.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.bias = nn.Parameter(torch.empty(width))
        bound = 1 / math.sqrt(3 * width)
        nn.init.uniform_(self.project.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, z: Tensor, window: Window) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width)."""
        before, centre, after = self.project(z).chunk(3, dim=-1)
        best = z.new_zeros(())  # relu(x) = max(x, 0), so every maximum starts at 0
        for offset in window.offsets:
            total = (
                window.neighbour(before, offset - 1)
                + window.neighbour(centre, offset)
                + window.neighbour(after, offset + 1)
                + self.bias
            )
            best = torch.maximum(best, total.masked_fill(~window.inside(offset), 0))
        return best
