"""Fusion: how the Gang's windows and the Hero's vector become one (paper, section 2.3).

Every fusion reads ``z``, the Hero's vectors of *shape* (tokens, width), and ``h``, the
Gang's, of *shape* (tokens, windows, width), and returns the fused vectors ``s``. The
factor ``1 / sqrt(d)`` is in the authors' programme, not in equations 5 and 6.

``of_windows(z, h)`` is what the windows bring to ``s``, of the shape of ``s``. Those that attend
have ``weights(z, h)``: how much of each window and of the Hero is in ``s``.

``mlp``, ``dot``, ``concat`` and ``add`` are the paper's. ``mlp_norm`` and ``gate`` answer what
becomes of ``mlp`` in training: a Hero's vector is longer than a window's, whose parts are at most
1, and means something from the first step on, so that the softmax goes to the Hero and stays.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm

EPSILON = 1e-6
"""Keeps a vector of zeros from being divided by its length."""


class MlpAttention(nn.Module):
    """Multi-window attention whose query is a linear map of all members (equation 5).

    ``K_i = [h_i^1 ... h_i^M, z_i]``, ``m_i = W concat(K_i) + b``,
    ``s_i = softmax(m_i K_i^T / sqrt(d)) K_i``.
    """

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = width
        self.query = nn.Linear((windows + 1) * width, width)

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, width)."""
        members = self.members(z, h)
        return _mix(self._attend(members), members)

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """The windows' part of the sum. *Shape:* (tokens, width)."""
        members = self.members(z, h)
        return _mix(self._attend(members)[:, :-1], members[:, :-1])

    def weights(self, z: Tensor, h: Tensor) -> Tensor:
        """A softmax over windows and Hero. *Shape:* (tokens, windows + 1)."""
        return self._attend(self.members(z, h))

    def members(self, z: Tensor, h: Tensor) -> Tensor:
        """K. *Shape:* (tokens, windows + 1, width)."""
        return _members(z, h)

    def _attend(self, members: Tensor) -> Tensor:
        return _attention(self.query(members.flatten(1)), members)


class NormedMlpAttention(MlpAttention):
    """``mlp`` over members of one length, so that neither side wins by being longer.

    ``K_i^j = g_j RMSNorm(k_i^j)`` (Zhang and Sennrich, 2019), ``g_j`` learnt, one a member.
    """

    def __init__(self, width: int, windows: int) -> None:
        super().__init__(width, windows)
        self.gain = nn.Parameter(torch.ones(windows + 1))

    def members(self, z: Tensor, h: Tensor) -> Tensor:
        """K. *Shape:* (tokens, windows + 1, width)."""
        normed = rms_norm(_members(z, h), (z.shape[1],), eps=EPSILON)
        return normed * self.gain.to(normed.dtype).unsqueeze(1)


class DotAttention(nn.Module):
    """Multi-window attention whose query is the Hero's own vector (equation 6).

    ``u_i = softmax(z_i H_i^T / sqrt(d)) H_i`` over the Gang alone, ``s_i = z_i + u_i``.
    """

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
        """A softmax over the windows; the Hero is added whole. *Shape:* (tokens, windows + 1)."""
        return torch.cat([_attention(z, h), z.new_ones(len(z), 1)], dim=1)


class Concat(nn.Module):
    """All members side by side: ``s_i = concat(h_i^1 ... h_i^M, z_i)``."""

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = (windows + 1) * width

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, (windows + 1) * width)."""
        return _members(z, h).flatten(1)

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """The windows, and zeros for the Hero. *Shape:* (tokens, (windows + 1) * width)."""
        return self(torch.zeros_like(z), h)


class Add(nn.Module):
    """The sum of all members: ``s_i = z_i + sum_j h_i^j``."""

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = width

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, width)."""
        return z + self.of_windows(z, h)

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """The windows' sum. *Shape:* (tokens, width)."""
        return h.sum(dim=1)


class Gate(nn.Module):
    """A learnt share of each number: ``g_i = sigmoid(W [z_i, u_i] + b)``,
    ``s_i = g_i z_i + (1 - g_i) u_i``, where ``u_i`` is the mean of the windows."""

    def __init__(self, width: int, windows: int) -> None:
        super().__init__()
        self.width_out = width
        self.gate = nn.Linear(2 * width, width)

    def forward(self, z: Tensor, h: Tensor) -> Tensor:
        """Returns: *Shape:* (tokens, width)."""
        u = h.mean(dim=1).to(z.dtype)
        return torch.lerp(u, z, self._open(z, u))

    def of_windows(self, z: Tensor, h: Tensor) -> Tensor:
        """``(1 - g) u``. *Shape:* (tokens, width)."""
        u = h.mean(dim=1).to(z.dtype)
        return (1 - self._open(z, u)) * u

    def _open(self, z: Tensor, u: Tensor) -> Tensor:
        """g. *Shape:* (tokens, width)"""
        return torch.sigmoid(self.gate(torch.cat([z, u], dim=1))).to(z.dtype)


def _members(z: Tensor, h: Tensor) -> Tensor:
    """K: the Gang's vectors, then the Hero's. *Shape:* (tokens, windows + 1, width)"""
    return torch.cat([h, z.unsqueeze(1)], dim=1)


def _attention(query: Tensor, keys: Tensor) -> Tensor:
    """Scaled dot-product attention of one query a token over that token's keys: its weights.

    query: *Shape:* (tokens, width). keys: *Shape:* (tokens, members, width).
    Returns: *Shape:* (tokens, members).
    """
    scores = (keys @ query.unsqueeze(2)).squeeze(2) / math.sqrt(query.shape[1])
    return torch.softmax(scores, dim=1)


def _mix(weights: Tensor, members: Tensor) -> Tensor:
    """The weighted sum of each token's members. *Shape:* (tokens, width)"""
    return (weights.unsqueeze(1) @ members).squeeze(1)


FUSIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "mlp": MlpAttention,
    "dot": DotAttention,
    "concat": Concat,
    "add": Add,
    "mlp_norm": NormedMlpAttention,
    "gate": Gate,
}
