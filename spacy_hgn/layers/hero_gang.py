"""Gang and fusion over the Hero's vectors, as a Thinc layer."""

from collections.abc import Sequence
from typing import Any

from thinc.api import Model
from torch import Tensor, nn

from .fusion import FUSIONS
from .gang import RECURRENCES, Gang
from .ragged import Vectors, ragged_layer


def hero_gang(
    windows: Sequence[int], recurrence: str, fusion: str, precision: str = "float32"
) -> Model[Vectors, Vectors]:
    """Fuse every token's vector with the windows around it.

    The layer reads and returns one array a text. *Shapes:* (tokens, nI) and (tokens, nO);
    nO is nI, but ``(len(windows) + 1) * nI`` for the fusion "concat".

    windows: odd widths, each once. recurrence: lstm, gru, rnn, cnn or mlp.
    fusion: mlp, dot, concat or add. precision: float32, bfloat16 or auto, in prediction.
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
        self.fusion = FUSIONS[fusion](width, len(windows))
        self.width_out = self.fusion.width_out

    def forward(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width_out)."""
        return self.fusion(z, self.gang(z, lengths))


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
