"""The token vectors of a frozen Hero on Docs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import torch
from spacy_transformers.data_classes import TransformerData
from thinc.api import Model
from torch import Tensor

from ...backend.step_size import StepSize
from .frozen_hero import FrozenHero, LayerData


def find_layers(datas: Sequence[TransformerData], device: torch.device) -> "FrozenVectors | None":
    """The vectors of Docs on the device, if a frozen Hero has read all that have tokens."""
    filled = [data for data in datas if data.model_output]
    if not filled or not all(isinstance(data, LayerData) for data in filled):
        return None
    return FrozenVectors(datas, device)


def count_layers(tok2vec: Model) -> int | None:
    """The number of layers that a frozen Hero inside a tok2vec returns; None without one."""
    heroes = (node for node in tok2vec.walk() if isinstance(node, FrozenHero))
    hero = next(heroes, None)
    return None if hero is None else len(hero.layer_numbers())


class FrozenVectors:
    """The layers of all tokens of Docs, without gradients."""

    step_sizes: Sequence[StepSize] = ()
    is_edge: numpy.ndarray | None = None

    def __init__(self, datas: Sequence[TransformerData], device: torch.device) -> None:
        """datas: one per Doc; those with tokens come from a frozen Hero."""
        of_docs = [data.layers for data in datas if isinstance(data, LayerData)]
        if len({layers.device for layers in of_docs}) > 1:  # some were kept, and some weren't
            of_docs = [layers.to(device) for layers in of_docs]
        self._layers = torch.cat(of_docs).to(device)
        self.lengths = self.with_edges = [len(data.align.lengths) for data in datas]

    def take(self, low: int, high: int) -> Tensor:
        """Those from low up to high. *Shape:* (high - low, layers, width), or, of one layer,
        (high - low, width) in float32."""
        taken = self._layers[low:high]
        return taken[:, 0].float() if taken.shape[1] == 1 else taken

    def learn(self) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """All vectors, and a backward function that does nothing."""
        return self.take(0, len(self._layers)), lambda d_vectors: []
