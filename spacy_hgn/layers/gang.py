"""The Gang: short recurrent windows around every token (paper, section 2.2).

For a window of odd width ``w = 2k + 1`` the sub-sequence of token ``i`` is
``z[i-k] ... z[i+k]``, cut at the ends of the text: nothing is padded in. One unit reads
it left to right, another right to left, and the two last states, each of width ``d / 2``,
are concatenated to ``h_i`` of width ``d``.

Texts are kept ragged: ``z`` holds the tokens of all texts one after the other, so that a
text gets the same vectors alone and in any batch.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .windows import Window, cut_windows


class Gang(nn.Module):
    """One recurrent unit for each window, applied to every token."""

    def __init__(self, width: int, windows: Sequence[int], recurrence: str) -> None:
        """width: d, the width of the Hero's vectors. windows: odd widths. recurrence: a key
        of ``RECURRENCES``."""
        super().__init__()
        self.windows = tuple(windows)
        self.units = nn.ModuleList(RECURRENCES[recurrence](width, w) for w in windows)

    def forward(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """Summarize every window of every token.

        z: the Hero's vectors. *Shape:* (tokens, width).
        lengths: tokens of each text, on the host; their sum is ``tokens``.
        Returns: *Shape:* (tokens, windows, width).
        """
        if len(z) == 0:
            return z.new_zeros(0, len(self.windows), z.shape[1])
        cuts = [cut_windows(lengths, w, z.device) for w in self.windows]
        return torch.stack([unit(z, cut) for unit, cut in zip(self.units, cuts)], dim=1)


class _Bidirectional(nn.Module):
    """A recurrent unit for each direction, sharing one input projection.

    The projection of a token is computed once, although the token is read in up to ``w``
    windows; only the product with the state is left to the steps.
    """

    gates: int

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        if width % 2:
            raise ValueError(
                f"The Gang's two directions share the Hero's width: expected an even width, "
                f"got {width}. Choose recurrence = 'mlp' or 'cnn', or another Hero."
            )
        self.hidden = width // 2
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
        state = None
        for step, active in enumerate(actives):
            if state is not None and active < state[0].shape[0]:
                ended.append(state[0][active:])
                state = tuple(s[:active] for s in state)
            step_inputs = inputs.index_select(0, start[:active] + stride * step)
            state = self._step(step_inputs, state, recur)
        if state is not None:
            ended.append(state[0])
        return torch.cat(ended[::-1])

    def _step(
        self, inputs: Tensor, state: tuple[Tensor, ...] | None, recur: nn.Linear
    ) -> tuple[Tensor, ...]:
        """inputs: the projected tokens. *Shape:* (active, gates * width / 2).
        state: None at the first step, else a tuple whose first part is the output.
        *Shape of each part:* (active, width / 2)."""
        raise NotImplementedError


class LSTM(_Bidirectional):
    """Long short-term memory; gates in the order input, forget, cell, output."""

    gates = 4

    def _step(
        self, inputs: Tensor, state: tuple[Tensor, ...] | None, recur: nn.Linear
    ) -> tuple[Tensor, ...]:
        gates = inputs + (recur.bias if state is None else recur(state[0]))
        i, f, g, o = gates.chunk(4, dim=-1)
        c = torch.sigmoid(i) * torch.tanh(g)
        if state is not None:
            c = c + torch.sigmoid(f) * state[1]
        return torch.sigmoid(o) * torch.tanh(c), c


class GRU(_Bidirectional):
    """Gated recurrent unit; gates in the order reset, update, new (as in PyTorch)."""

    gates = 3

    def _step(
        self, inputs: Tensor, state: tuple[Tensor, ...] | None, recur: nn.Linear
    ) -> tuple[Tensor, ...]:
        recurrent = recur.bias.expand_as(inputs) if state is None else recur(state[0])
        r, u, n = inputs.chunk(3, dim=-1)
        rr, ru, rn = recurrent.chunk(3, dim=-1)
        update = torch.sigmoid(u + ru)
        new = torch.tanh(n + torch.sigmoid(r + rr) * rn)
        h = new - update * new
        return (h,) if state is None else (h + update * state[0],)


class RNN(_Bidirectional):
    """The plain recurrent unit: ``h = tanh(W z + U h + b)``."""

    gates = 1

    def _step(
        self, inputs: Tensor, state: tuple[Tensor, ...] | None, recur: nn.Linear
    ) -> tuple[Tensor, ...]:
        recurrent = recur.bias if state is None else recur(state[0])
        return (torch.tanh(inputs + recurrent),)


class MLP(nn.Module):
    """One layer over the concatenated window: ``h_i = tanh(sum_o W_o z[i+o] + b)``.

    A position beyond the text's end adds nothing to the sum.
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

    ``c_j = relu(W_- z[j-1] + W_0 z[j] + W_+ z[j+1] + b)``, ``h_i = max_j c_j``; a neighbour
    that lies outside of the window, or of the text, adds nothing.
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
        best = z.new_zeros(())  # relu(x) = max(x, 0): zero is where every maximum starts
        for offset in window.offsets:
            total = window.neighbour(centre, offset) + self.bias
            if offset - 1 >= window.offsets[0]:
                total = total + window.neighbour(before, offset - 1)
            if offset + 1 <= window.offsets[-1]:
                total = total + window.neighbour(after, offset + 1)
            inside = window.inside(offset)
            best = torch.maximum(best, torch.where(inside, total, torch.zeros_like(total)))
        return best


RECURRENCES: dict[str, Callable[[int, int], nn.Module]] = {
    "lstm": LSTM,
    "gru": GRU,
    "rnn": RNN,
    "cnn": CNN,
    "mlp": MLP,
}
