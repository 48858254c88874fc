"""Fusion of the Gang's windows with the Hero's vector (paper, section 2.3).

Every fusion reads ``z``, the Hero's vectors of *shape* (tokens, width), and ``h``, the Gang's
vectors of *shape* (tokens, windows, width). It returns the fused vectors ``s``. The factor
``1 / sqrt(d)`` is in the authors' code, but not in equations 5 and 6.

``of_windows(z, h)`` is the part of ``s`` that comes from the windows, with the shape of ``s``. With
``h = 0`` it is 0, and ``s`` carries the Hero alone: ``spacy hgn contribution`` silences the windows
this way. Fusions with an attention have ``weights(z, h)``, those of windows and Hero in ``s``.
``note`` tells the reader of an explanation what the weights are.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn


class MlpAttention(nn.Module):
    """Multi-window attention with a linear map of all sources as the query (equation 5).

    ``K_i = [h_i^1 ... h_i^M, z_i]``, ``m_i = W concat(K_i) + b``,
    ``s_i = softmax(m_i K_i^T / sqrt(d)) K_i``.
    """

    note = "A softmax over the windows and the Hero. A token's weights sum to 1."

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = width
        self.query = nn.Linear((windows + 1) * width, width)

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, width)."""
        sources = _sources(z, h)
        return _mix(self._attend(sources), sources)

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """The windows' part of the sum. *Shape:* (tokens, width)."""
        sources = _sources(z, h)
        return _mix(self._attend(sources)[:, :-1], sources[:, :-1])

    def weights(self, z: Tensor, h: Tensor) -> Tensor:
        """A softmax over windows and Hero. *Shape:* (tokens, windows + 1)."""
        return self._attend(_sources(z, h))

    def _attend(self, sources: Tensor) -> Tensor:
        return _attention(self.query(sources.flatten(1)), sources)


class DotAttention(nn.Module):
    """Multi-window attention with the Hero's vector as the query (equation 6).

    ``u_i = softmax(z_i H_i^T / sqrt(d)) H_i`` over the Gang alone, ``s_i = z_i + u_i``.
    """

    note = "A softmax over the windows, with weights that sum to 1. The Hero is added as a whole."

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = width

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, width)."""
        return z + self.of_windows(z, h)

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """u. *Shape:* (tokens, width)."""
        return _mix(_attention(z, h), h)

    def weights(self, z: Tensor, h: Tensor) -> Tensor:
        """A softmax over the windows, and 1 for the Hero. *Shape:* (tokens, windows + 1)."""
        return torch.cat([_attention(z, h), z.new_ones(len(z), 1)], dim=1)


class Concat(nn.Module):
    """The concatenation of all sources: ``s_i = concat(h_i^1 ... h_i^M, z_i)``."""

    note = "The fusion concat concatenates windows and Hero, without weights."

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = (windows + 1) * width

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, (windows + 1) * width)."""
        return _sources(z, h).flatten(1)

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """The windows, and zeros for the Hero. *Shape:* (tokens, (windows + 1) * width)."""
        return self(torch.zeros_like(z), h)


class Add(nn.Module):
    """The sum of all sources: ``s_i = z_i + sum_j h_i^j``."""

    note = "The fusion add sums windows and Hero, without weights."

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = width

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, width)."""
        return z + self.of_windows(z, h)

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """The windows' sum. *Shape:* (tokens, width)."""
        return h.sum(dim=1)


def _sources(z: Tensor, h: Tensor) -> Tensor:
    """K: the Gang's vectors, then the Hero's. *Shape:* (tokens, windows + 1, width)"""
    return torch.cat([h, z.unsqueeze(1)], dim=1)


def _attention(query: Tensor, keys: Tensor) -> Tensor:
    """The weights of scaled dot-product attention, with one query per token over its keys.

    query: *Shape:* (tokens, width). keys: *Shape:* (tokens, sources, width).
    Returns: *Shape:* (tokens, sources).
    """
    scores = (keys @ query.unsqueeze(2)).squeeze(2) / math.sqrt(query.shape[1])
    return torch.softmax(scores, dim=1)


def _mix(weights: Tensor, sources: Tensor) -> Tensor:
    """The weighted sum of each token's sources. *Shape:* (tokens, width)"""
    return (weights.unsqueeze(1) @ sources).squeeze(1)


FUSIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "mlp": MlpAttention,
    "dot": DotAttention,
    "concat": Concat,
    "add": Add,
}
