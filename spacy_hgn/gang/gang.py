"""The Gang: short recurrent windows around every token (paper, section 2.2).

For a window of odd width ``w = 2k + 1``, the sub-sequence of token ``i`` is
``z[i-k] ... z[i+k]``, cut at the ends of the text without padding. One unit reads it from left to
right, another from right to left. Their last states, each of width ``d / 2``, are concatenated to
``h_i`` of width ``d``.

Texts are ragged: ``z`` holds the tokens of all texts one after the other. So a text gets the same
vectors alone and in any batch.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .bilstm import BiLSTM
from .feedforward import CNN, MLP
from .lstm import LSTM
from .recurrent import GRU, RNN
from .triton_device import reads_together
from .windows import cut_windows

RECURRENCES: dict[str, Callable[[int, int], nn.Module]] = {
    "lstm": LSTM,
    "bilstm": BiLSTM,
    "gru": GRU,
    "rnn": RNN,
    "cnn": CNN,
    "mlp": MLP,
}


class Gang(nn.Module):
    """One recurrent unit per window, applied to every token."""

    def __init__(self, width: int, windows: Sequence[int], recurrence: str) -> None:
        """width: of the Hero's vectors, d. windows: odd widths. recurrence: a key of
        ``RECURRENCES``."""
        super().__init__()
        self.windows = tuple(windows)
        self.recurrence = recurrence
        self.units = nn.ModuleList(RECURRENCES[recurrence](width, w) for w in windows)

    def forward(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """Compute a vector for every window of every token.

        z: the Hero's vectors. *Shape:* (tokens, width).
        lengths: the number of tokens of each text, on the host; their sum is ``tokens``.
        Returns: *Shape:* (tokens, windows, width).
        """
        if len(z) == 0:
            return z.new_zeros(0, len(self.windows), z.shape[1])
        if self.units and z.is_cuda and reads_together(self.recurrence, z):
            from .lstm_triton import read_windows

            return read_windows(z, list(self.units), lengths)
        cuts = [cut_windows(lengths, w, z.device) for w in self.windows]
        return torch.stack([unit(z, cut) for unit, cut in zip(self.units, cuts)], dim=1)
