"""A learnt mix of a Hero's layers ("Deep contextualized word representations", Peters et al., 2018,
equation 1)."""

import torch
from torch import Tensor, nn


class LayerMix(nn.Module):
    """``scale * sum_l softmax(weights)_l z_l``: at first the mean of the layers."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self.scale = nn.Parameter(torch.ones(1))  # Thinc's optimizers don't accept scalars

    @property
    def shares(self) -> Tensor:
        """The share of each layer in the mix, before the scale. *Shape:* (layers,)"""
        return self.weights.softmax(dim=0)

    def forward(self, z: Tensor) -> Tensor:
        """z: *Shape:* (tokens, layers, width). Returns: *Shape:* (tokens, width), in float32."""
        with torch.autocast(z.device.type, enabled=False):
            return torch.matmul(self.scale * self.shares, z.float())
