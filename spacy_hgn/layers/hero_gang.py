"""What is trained besides the Hero, as one torch module: Gang, fusion and classifier."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from .fusion import FUSIONS
from .gang import RECURRENCES, Gang

TINY = 1e-12


class HeroGang(nn.Module):
    """A feed-forward layer if one is wanted, then Gang, fusion and, in a tagger, the classifier.

    All methods read the Hero's vectors ``z`` of the tokens of all texts, *shape* (tokens, width),
    and ``lengths``, the tokens of each text, on the host. What they return has the type of ``z``.
    """

    def __init__(
        self,
        width: int,
        windows: Sequence[int],
        recurrence: str = "",
        fusion: str = "",
        feed_forward: int = 0,
        tags: int | None = None,
    ) -> None:
        """windows: [] is the plain Transformer, without Gang and fusion. feed_forward: hidden
        units of the layer before the Gang, in widths; 0 is none. tags: None is no tagger."""
        super().__init__()
        self.width, self.tags = width, tags
        self.width_out = width
        self.is_silenced = False
        self.heard: list[Tensor] | None = None
        if feed_forward:
            hidden = feed_forward * width
            self.feed_forward = nn.Sequential(
                nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width)
            )
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
        fused = self._prepare(dropout(z, rate) if rate else z)
        if hasattr(self, "gang"):
            fused = self.fusion(fused, self._read_windows(fused, lengths)).to(z.dtype)
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
        z = self._prepare(z)
        return self.fusion.weights(z, self.gang(z, lengths)).to(z.dtype)  # type: ignore[operator]

    def shares(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """How much the windows say: the norm of what they bring to a token's fused vector, over
        the norm of that vector. *Shape:* (tokens, 1)"""
        z = self._prepare(z)
        h = self.gang(z, lengths)
        of_windows = self.fusion.of_windows(z, h).float()  # type: ignore[operator]
        fused = self.fusion(z, h).float()
        return of_windows.norm(dim=1, keepdim=True) / fused.norm(dim=1, keepdim=True).clamp(
            min=TINY
        )

    @contextmanager
    def listening(self) -> Iterator[list[Tensor]]:
        """In this context, all threads' predictions note the ``shares`` of their tokens."""
        self.heard = []
        try:
            yield self.heard
        finally:
            self.heard = None

    @contextmanager
    def silencing(self) -> Iterator[None]:
        """In this context, all windows are vectors of zeros, in all threads."""
        self.is_silenced = True
        try:
            yield
        finally:
            self.is_silenced = False

    def _prepare(self, z: Tensor) -> Tensor:
        """What the Gang reads. *Shape:* (tokens, width)"""
        return z + self.feed_forward(z).to(z.dtype) if hasattr(self, "feed_forward") else z

    def _read_windows(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """The Gang's vectors. *Shape:* (tokens, windows, width)"""
        if self.is_silenced:
            return z.new_zeros(len(z), len(self.gang.windows), self.width)
        return self.gang(z, lengths)


def check_settings(
    windows: Sequence[int], recurrence: str, fusion: str, edges: bool, feed_forward: int
) -> dict[str, Any]:
    """The settings that ``HeroGang`` takes, and ``edges``, or ValueError.

    windows: odd widths, each once. recurrence: lstm, gru, rnn, cnn or mlp. fusion: a key of
    ``FUSIONS``. edges: whether windows read the edges of texts. Without windows there is nothing
    that reads or fuses them. feed_forward: hidden units in widths.
    """
    if not isinstance(edges, bool):
        raise ValueError(f"edges: expected true or false, got {edges!r}.")
    if type(feed_forward) is not int or feed_forward < 0:
        raise ValueError(
            "feed_forward: expected a whole number, the hidden units in widths of the Hero, or 0 "
            f"for none; got {feed_forward!r}."
        )
    if not check_windows(windows):
        return {"windows": [], "feed_forward": feed_forward}
    return {
        "feed_forward": feed_forward,
        "windows": list(windows),
        "recurrence": _check_choice("recurrence", recurrence, RECURRENCES),
        "fusion": _check_choice("fusion", fusion, FUSIONS),
        "edges": edges,
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
