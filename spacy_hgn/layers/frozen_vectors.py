"""The token vectors that a frozen Hero has laid on Docs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import torch
from spacy_transformers.data_classes import TransformerData
from torch import Tensor

from .frozen_hero import LayerData
from .step_size import StepSize


def find_layers(datas: Sequence[TransformerData]) -> "FrozenVectors | None":
    """The vectors of Docs, if a frozen Hero has read all that have tokens."""
    filled = [data for data in datas if data.model_output]
    if not filled or not all(isinstance(data, LayerData) for data in filled):
        return None
    return FrozenVectors(datas)


class FrozenVectors:
    """The layers of all tokens of Docs; of which nothing is learnt."""

    step_sizes: Sequence[StepSize] = ()
    is_edge: numpy.ndarray | None = None

    def __init__(self, datas: Sequence[TransformerData]) -> None:
        """datas: one a Doc. Those of a single layer have it alone: *shape* (tokens, width)."""
        self._layers = torch.cat([data.layers for data in datas if isinstance(data, LayerData)])
        self.lengths = self.with_edges = [len(data.align.lengths) for data in datas]

    def take(self, low: int, high: int) -> Tensor:
        """Those from low up to high. *Shape:* (high - low, layers, width), or, of one layer,
        (high - low, width) in float32."""
        taken = self._layers[low:high]
        return taken[:, 0].float() if taken.shape[1] == 1 else taken

    def learn(self) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """All of them, and a way back that leads nowhere."""
        return self.take(0, len(self._layers)), lambda d_vectors: []
