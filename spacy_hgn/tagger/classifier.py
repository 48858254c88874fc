"""Add tags to a tagger's classifier, and find the trained ones."""

import torch
from thinc.api import Model
from torch import Tensor

from .committee import Committee
from .flat import shim_of


def is_initialized(model: Model) -> bool:
    """Whether a tagger has been initialized."""
    return shim_of(model.get_ref("flat")).is_built


def resize_tags(model: Model, nO: int) -> None:
    """Add tags to an initialized tagger. Old tags keep their weights."""
    flat = model.get_ref("flat")
    shim_of(flat)._model.resize(nO)
    for layer in (flat, model):
        layer.set_dim("nO", nO, force=True)


def trained_tags(model: Model) -> Tensor:
    """Which tags of a tagger are trained: new ones have weights of 0.

    *Shape:* (nO,), boolean
    """
    module = shim_of(model.get_ref("flat"))._model
    classifier = (module.heads[0] if isinstance(module, Committee) else module).classifier
    weights = torch.cat([classifier.weight, classifier.bias[:, None]], dim=1)
    return weights.any(dim=1)
