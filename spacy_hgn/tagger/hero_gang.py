"""The head over the Hero as one torch module: Gang, fusion, classifier."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from thinc.api import get_torch_default_device
from torch import Tensor, nn
from torch.nn.functional import dropout

from ..fusion import FUSIONS
from ..gang.gang import RECURRENCES, Gang
from .layer_mix import LayerMix

TINY = 1e-12


class RecordsShares(nn.Module):
    """A module that can record ``shares``, the share of the windows, while it predicts."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded: list[Tensor] | None = None

    @contextmanager
    def recording_shares(self) -> Iterator[list[Tensor]]:
        """In this context, predictions in all threads record the ``shares`` of their tokens."""
        self.recorded = []
        try:
            yield self.recorded
        finally:
            self.recorded = None


class HeroGang(RecordsShares):
    """Gang, fusion and, in a tagger, the classifier. Optionally preceded by a mix of the Hero's
    layers, a normalization and a feed-forward layer.

    All methods read the Hero's vectors ``z`` for the tokens of all texts, *shape* (tokens, width),
    or (tokens, layers, width) if the Hero returns several layers, and ``lengths``, the number of
    tokens of each text, on the host. The results have the type of ``z``, or float32 for several
    layers.
    """

    def __init__(
        self,
        width: int,
        windows: Sequence[int],
        recurrence: str = "",
        fusion: str = "",
        feed_forward: int = 0,
        normalize: bool = False,
        head_dropout: bool = False,
        layers: int | None = None,
        tags: int | None = None,
    ) -> None:
        """windows: [] is the plain Transformer, without Gang and fusion. feed_forward: hidden
        units of the layer before the Gang, in multiples of the width; 0 is no layer. normalize:
        whether to normalize the Hero's vectors. head_dropout: whether to use dropout in the
        feed-forward layer and before the classifier too. layers: of the Hero, mixed if there are
        several; None is not known yet. tags: their number; None is no tagger."""
        super().__init__()
        self.width, self.tags = width, tags
        self.head_dropout = head_dropout
        self.width_out = width
        self.is_silenced = False
        self.layers: int | None = None
        if layers is not None:
            self.fit_layers(layers)
        if normalize:
            self.norm = nn.LayerNorm(width)
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

    @property
    def has_windows(self) -> bool:
        """Whether there is a Gang."""
        return hasattr(self, "gang")

    def fit_layers(self, layers: int) -> None:
        """Set the number of the Hero's layers, unless it is known."""
        if self.layers is None:
            self.layers = layers
            if layers > 1:
                self.mix = LayerMix(layers).to(get_torch_default_device())

    def forward(self, z: Tensor, lengths: Sequence[int], rate: float = 0.0) -> Tensor:
        """A tagger's logits, or the fused vectors. *Shape:* (tokens, width_out)

        rate: of dropout, from torch's generator, whose state can be stored.
        """
        fused = self._prepare(z, rate)
        if hasattr(self, "gang"):
            fused = self.fusion(fused, self._read_windows(fused, lengths)).to(fused.dtype)
        if not hasattr(self, "classifier"):
            return fused
        if rate and self.head_dropout:
            fused = dropout(fused, rate)
        with torch.autocast(z.device.type, enabled=False):
            return self.classifier(fused)

    def predict(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """A tagger's probabilities, or the fused vectors. *Shape:* (tokens, width_out)"""
        return self.read(self(z, lengths))

    def read(self, output: Tensor) -> Tensor:
        """Turn the output of ``forward`` into that of ``predict``."""
        return output.softmax(dim=1) if hasattr(self, "classifier") else output

    @property
    def trained_tags(self) -> Tensor:
        """The tags with trained weights: new ones have weights of 0. *Shape:* (tags,), boolean"""
        weights = torch.cat([self.classifier.weight, self.classifier.bias[:, None]], dim=1)
        return weights.any(dim=1)

    def resize(self, tags: int) -> None:
        """Add tags to a tagger. Old tags keep their weights; new tags have weights of 0."""
        old = self.classifier
        self.classifier = nn.Linear(old.in_features, tags).to(old.weight.device)
        with torch.no_grad():
            for name, weights in self.classifier.named_parameters():
                weights.zero_()[: old.out_features] = getattr(old, name)
        self.tags = self.width_out = tags

    def weights(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """The attention weights of each window and, last, of the Hero.

        *Shape:* (tokens, windows + 1).
        """
        z = self._prepare(z)
        return self.fusion.weights(z, self.gang(z, lengths)).to(z.dtype)  # type: ignore[operator]

    def shares(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """The share of the windows: the norm of what they add to a token's fused vector, divided
        by the norm of that vector. *Shape:* (tokens, 1)"""
        z = self._prepare(z)
        h = self.gang(z, lengths)
        of_windows = self.fusion.of_windows(z, h).float()  # type: ignore[operator]
        fused = self.fusion(z, h).float()
        return of_windows.norm(dim=1, keepdim=True) / fused.norm(dim=1, keepdim=True).clamp(
            min=TINY
        )

    @contextmanager
    def silencing(self) -> Iterator[None]:
        """In this context, all windows are zeros, in all threads."""
        self.is_silenced = True
        try:
            yield
        finally:
            self.is_silenced = False

    def _prepare(self, z: Tensor, rate: float = 0.0) -> Tensor:
        """The Gang's input. *Shape:* (tokens, width)"""
        if hasattr(self, "mix"):
            z = self.mix(z)
        if hasattr(self, "norm"):
            z = self.norm(z)
        if rate:
            z = dropout(z, rate)
        if not hasattr(self, "feed_forward"):
            return z
        widen, activate, narrow = self.feed_forward
        hidden = activate(widen(z))
        if rate and self.head_dropout:
            hidden = dropout(hidden, rate)
        return z + narrow(hidden).to(z.dtype)

    def _read_windows(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """The Gang's vectors. *Shape:* (tokens, windows, width)"""
        if self.is_silenced:
            return z.new_zeros(len(z), len(self.gang.windows), self.width)
        return self.gang(z, lengths)


def check_settings(
    windows: Sequence[int],
    recurrence: str,
    fusion: str,
    *,
    edges: bool = False,
    feed_forward: int = 0,
    normalize: bool = False,
    head_dropout: bool = False,
    members: int = 1,
) -> dict[str, Any]:
    """Check the settings of ``HeroGang``, and ``edges`` and ``members`` of the shim.

    windows: odd widths, each once. recurrence: a key of ``gang.RECURRENCES``. fusion: a key of
    ``FUSIONS``. edges: whether windows read the edges of texts. Without windows, these three have
    no effect and are left out. feed_forward: hidden units in multiples of the width. members: the
    number of heads. Returns the settings. Raises ValueError for invalid ones.
    """
    settings = {
        "windows": check_windows(windows),
        "feed_forward": _check_number("feed_forward", feed_forward, 0, "the hidden units in "
            "multiples of the Hero's width, or 0 for none"),
        "normalize": _check_bool("normalize", normalize),
        "head_dropout": _check_bool("head_dropout", head_dropout),
        "members": _check_number("members", members, 1, "the heads of a committee"),
    }  # fmt: skip
    _check_bool("edges", edges)
    if not windows:
        return settings
    return settings | {
        "recurrence": _check_choice("recurrence", recurrence, RECURRENCES),
        "fusion": _check_choice("fusion", fusion, FUSIONS),
        "edges": edges,
    }


def has_weights(fusion: str) -> bool:
    """Whether a fusion has an attention."""
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


def _check_bool(setting: str, value: bool) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{setting}: expected true or false, got {value!r}.")
    return value


def _check_number(setting: str, value: int, least: int, what: str) -> int:
    if type(value) is not int or value < least:
        raise ValueError(
            f"{setting}: expected a whole number of {least} or more, {what}; got {value!r}."
        )
    return value
