"""Gradients of embeddings without a table of zeros for every way back.

A step of training reads some hundred rows of an embedding of tens of thousands. PyTorch's dense
way back fills a table of all rows with zeros each time that the module was called; a
sparse one is added to a table that is kept.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class EmbeddingGradients:
    """The tables that the gradients of a module's embeddings are added to, on a CPU."""

    def __init__(self) -> None:
        self.tables: dict[Tensor, Tensor] = {}

    def make_sparse(self, module: nn.Module) -> None:
        """Have the module's embeddings send sparse gradients back."""
        for embedding in _embeddings(module):
            embedding.sparse = True

    def lay_tables(self, module: nn.Module) -> None:
        """Give those embeddings a table of zeros as their gradient, where they have none."""
        for embedding in _embeddings(module):
            weight = embedding.weight
            if weight.grad is None:
                if weight not in self.tables:
                    self.tables[weight] = torch.empty_like(weight, requires_grad=False)
                weight.grad = self.tables[weight].zero_()


def _embeddings(module: nn.Module) -> Iterator[nn.Embedding]:
    if next(module.parameters()).device.type != "cpu":
        return
    for part in module.modules():
        if isinstance(part, nn.Embedding) and part.weight.requires_grad:
            yield part
