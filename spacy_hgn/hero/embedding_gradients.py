"""Gradients of embeddings without a new table of zeros for every backward pass.

A training step reads some hundred of an embedding's tens of thousands of rows. In PyTorch, a dense
backward pass fills a table of all rows with zeros for each call of the module. A sparse gradient is
added to one table, which is reused.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class EmbeddingGradients:
    """Tables for the gradients of a module's embeddings, on a CPU."""

    def __init__(self) -> None:
        self.tables: dict[Tensor, Tensor] = {}

    def make_sparse(self, module: nn.Module) -> None:
        """Make the gradients of the module's embeddings sparse."""
        for embedding in _embeddings(module):
            embedding.sparse = True

    def lay_tables(self, module: nn.Module) -> None:
        """Set a table of zeros as the gradient of embeddings without one."""
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
