"""Gang and fusion over the Hero's vectors, as a Thinc layer."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy
import torch
from thinc.api import Model
from torch import Tensor, nn

from .fusion import FUSIONS
from .gang import RECURRENCES, Gang
from .ragged import RaggedShim, Vectors, ask_module, ragged_layer

# Tokens that go through Gang and fusion at a time in prediction.
BLOCK_TOKENS = 2048

Reading = Callable[[Tensor, Sequence[int]], Tensor]


def hero_gang(
    windows: Sequence[int], recurrence: str, fusion: str, precision: str = "float32"
) -> Model[Vectors, Vectors]:
    """Fuse every token's vector with the windows around it.

    The layer reads and returns one array a text. *Shapes:* (tokens, nI) and (tokens, nO);
    nO is nI, but ``(len(windows) + 1) * nI`` for the fusion "concat".

    windows: odd widths, each once. recurrence: lstm, gru, rnn, cnn or mlp.
    fusion: mlp, dot, concat or add. precision: float32, bfloat16 or auto.
    Raises ValueError for anything else.
    """
    settings = {
        "windows": check_windows(windows),
        "recurrence": _check_choice("recurrence", recurrence, RECURRENCES),
        "fusion": _check_choice("fusion", fusion, FUSIONS),
    }
    return ragged_layer("hero_gang", HeroGang, settings, precision)


class HeroGang(nn.Module):
    """Gang, then fusion."""

    def __init__(self, width: int, windows: Sequence[int], recurrence: str, fusion: str) -> None:
        super().__init__()
        self.gang = Gang(width, windows, recurrence)
        self.reach = max(windows, default=1) // 2
        self.fusion = FUSIONS[fusion](width, len(windows))
        self.width_out: int = self.fusion.width_out  # type: ignore[assignment]

    def forward(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width_out).

        In prediction, tokens are taken in blocks, each with its neighbours around it, so that
        a long text needs no more memory than a short one.
        """
        return self._in_blocks(self._fuse, self.width_out, z, lengths)

    def weights(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """What the fusion's attention gives to each window and to the Hero, as ``forward`` reads.

        z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, windows + 1).
        """
        return self._in_blocks(self._weigh, len(self.gang.windows) + 1, z, lengths)

    def _in_blocks(self, read: Reading, width: int, z: Tensor, lengths: Sequence[int]) -> Tensor:
        if torch.is_grad_enabled() or len(z) <= BLOCK_TOKENS:
            return read(z, lengths)
        found = z.new_empty((len(z), width))
        bounds = numpy.cumsum([0, *lengths])
        for first in range(0, len(z), BLOCK_TOKENS):
            last = min(first + BLOCK_TOKENS, len(z)) - 1
            low = max(first - self.reach, bounds[bounds <= first][-1])
            high = min(last + 1 + self.reach, bounds[bounds > last][0])
            within = numpy.diff(bounds.clip(low, high))
            block = read(z[low:high], within[within > 0].tolist())
            found[first : last + 1] = block[first - low : last + 1 - low]
        return found

    def _fuse(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        return self.fusion(z, self.gang(z, lengths))

    def _weigh(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        return self.fusion.weights(z, self.gang(z, lengths))  # type: ignore[operator]


def member_weights(layer: Model[Vectors, Vectors]) -> Model[Vectors, Vectors]:
    """The attention's weights in place of the vectors that it fuses, for prediction alone.

    layer: from ``hero_gang``, whose module is asked. The layer returned has one array a text.
    *Shape:* (tokens, windows + 1), the Hero's last.
    """

    def forward(
        model: Model[Vectors, Vectors], vectors: Vectors, is_train: bool
    ) -> tuple[Vectors, Callable]:
        return ask_module(layer, "weights", vectors), lambda d_weights: vectors

    return Model("member_weights", forward)


def has_weights(layer: Model[Vectors, Vectors]) -> bool:
    """Whether the fusion attends. layer: from ``hero_gang``."""
    return hasattr(FUSIONS[fusion_of(layer)], "weights")


def fusion_of(layer: Model[Vectors, Vectors]) -> str:
    """The fusion by its name. layer: from ``hero_gang``."""
    return cast(RaggedShim, layer.shims[0]).cfg["fusion"]


def check_windows(windows: Sequence[int]) -> list[int]:
    """Return the windows, or raise ValueError unless they are odd, positive and distinct."""
    allowed = isinstance(windows, list | tuple)
    allowed = allowed and all(type(w) is int and w > 0 and w % 2 for w in windows)
    if not allowed or len(set(windows)) != len(windows):
        raise ValueError(
            "windows: expected a list of odd whole numbers of 1 or more, each once, such as "
            f"[5, 7, 9] (or [] for the plain Transformer), got {windows!r}."
        )
    return list(windows)


def _check_choice(setting: str, value: str, choices: dict[str, Any]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"Unknown {setting}: expected one of {', '.join(choices)}, got {value!r}.")
    return value
