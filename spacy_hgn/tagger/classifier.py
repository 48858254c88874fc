"""The tags of a tagger's classifier: more of them, and which are trained."""

import torch
from thinc.api import Model
from torch import Tensor

from .committee import Committee
from .flat import shim_of


def is_initialized(model: Model) -> bool:
    """Whether a tagger has weights."""
    return shim_of(model.get_ref("flat")).is_built


def resize_tags(model: Model, nO: int) -> None:
    """Give an initialized tagger more tags; the old ones keep their weights."""
    flat = model.get_ref("flat")
    shim_of(flat)._model.resize(nO)
    for layer in (flat, model):
        layer.set_dim("nO", nO, force=True)


def trained_tags(model: Model) -> Tensor:
    """Which tags of a tagger have weights that aren't those of a new label.

    *Shape:* (nO,), boolean
    """
    module = shim_of(model.get_ref("flat"))._model
    classifier = (module.heads[0] if isinstance(module, Committee) else module).classifier
    weights = torch.cat([classifier.weight, classifier.bias[:, None]], dim=1)
    return weights.any(dim=1)
