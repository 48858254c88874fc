"""What is trained besides the Hero, as one torch module: Gang, fusion and classifier."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from .fusion import FUSIONS
from .gang import RECURRENCES, Gang


class HeroGang(nn.Module):
    """Gang, then fusion, then, in a tagger, the classifier.

    All methods read the Hero's vectors ``z`` of the tokens of all texts, *shape* (tokens, width),
    and ``lengths``, the tokens of each text, on the host. What they return has the type of ``z``.
    """

    def __init__(
        self,
        width: int,
        windows: Sequence[int],
        recurrence: str = "",
        fusion: str = "",
        tags: int | None = None,
    ) -> None:
        """windows: [] is the plain Transformer, without Gang and fusion. tags: None is no
        tagger."""
        super().__init__()
        self.width, self.tags = width, tags
        self.width_out = width
        if windows:
            self.gang = Gang(width, windows, recurrence)
            self.fusion = FUSIONS[fusion](width, len(windows))
            self.width_out = self.fusion.width_out  # type: ignore[assignment]
        if tags is not None:
            self.classifier = nn.Linear(self.width_out, tags)
            self.width_out = tags

    def forward(self, z: Tensor, lengths: Sequence[int], rate: float = 0.0) -> Tensor:
        """A tagger's logits, or else the fused vectors. *Shape:* (tokens, width_out)

        rate: of dropout on z, drawn from torch's generator, whose state can be stored.
        """
        fused = dropout(z, rate) if rate else z
        if hasattr(self, "gang"):
            fused = self.fusion(fused, self.gang(fused, lengths)).to(z.dtype)
        if not hasattr(self, "classifier"):
            return fused
        with torch.autocast(z.device.type, enabled=False):
            return self.classifier(fused)

    def predict(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """A tagger's probabilities, or else the fused vectors. *Shape:* (tokens, width_out)"""
        return self.read(self(z, lengths))

    def read(self, output: Tensor) -> Tensor:
        """What ``predict`` makes of the output of ``forward``."""
        return output.softmax(dim=1) if hasattr(self, "classifier") else output

    def resize(self, tags: int) -> None:
        """Give a tagger more tags. The old ones keep their weights; those of new ones are 0."""
        old = self.classifier
        self.classifier = nn.Linear(old.in_features, tags).to(old.weight.device)
        with torch.no_grad():
            for name, weights in self.classifier.named_parameters():
                weights.zero_()[: old.out_features] = getattr(old, name)
        self.tags = self.width_out = tags

    def weights(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """What an attention gives to each window and to the Hero, the Hero's last.

        *Shape:* (tokens, windows + 1).
        """
        return self.fusion.weights(z, self.gang(z, lengths)).to(z.dtype)  # type: ignore[operator]


def check_settings(windows: Sequence[int], recurrence: str, fusion: str) -> dict[str, Any]:
    """The settings that ``HeroGang`` takes, or ValueError.

    windows: odd widths, each once. recurrence: lstm, gru, rnn, cnn or mlp. fusion: mlp, dot,
    concat or add. Without windows there is nothing that reads or fuses them.
    """
    if not check_windows(windows):
        return {"windows": []}
    return {
        "windows": list(windows),
        "recurrence": _check_choice("recurrence", recurrence, RECURRENCES),
        "fusion": _check_choice("fusion", fusion, FUSIONS),
    }


def has_weights(fusion: str) -> bool:
    """Whether a fusion attends."""
    return hasattr(FUSIONS[fusion], "weights")


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
