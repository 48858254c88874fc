"""The classifier: a softmax over tags for every token."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy
import torch
from thinc.api import Model
from thinc.shims.shim import Shim
from torch import Tensor, nn

from .ragged import RaggedShim, Vectors, ragged_layer


def tag_scores(nO: int | None = None) -> Model[Vectors, Vectors]:
    """Map fused vectors to tag probabilities. *Shapes:* (tokens, nI) to (tokens, nO).

    As with Thinc's Softmax, what is backpropagated is the gradient of the logits.
    """
    logits = ragged_layer("tag_logits", TagLogits, {"tags": None})
    if nO is not None:
        logits.set_dim("nO", nO)
    return Model("tag_scores", forward, init=init, dims={"nI": None, "nO": nO}, layers=[logits])


def forward(model: Model, vectors: Vectors, is_train: bool) -> tuple[Vectors, Callable]:
    logits, backprop = model.layers[0](vectors, is_train)
    return [model.ops.softmax(array) for array in logits], backprop


def init(model: Model, X: Vectors | None = None, Y: Any = None) -> None:
    logits = model.layers[0]
    logits.initialize(X=X, Y=Y)
    for dim in ("nI", "nO"):
        model.set_dim(dim, logits.get_dim(dim))


class TagLogits(nn.Module):
    """One linear map for all tokens."""

    def __init__(self, width: int, tags: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, tags)
        self.width_out = tags

    def forward(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, tags)."""
        return self.linear(z)


def is_initialized(layer: Model) -> bool:
    """Whether the classifier has weights. layer: from ``tag_scores``."""
    return layer.layers[0].shims[0]._model is not None


def resize_tags(model: Model, nO: int) -> None:
    """Give an initialized tagger more tags; the old ones keep their weights.

    model: the tagger, whose "output_layer" is from ``tag_scores``.
    """
    output = model.get_ref("output_layer")
    shim = cast(RaggedShim, output.layers[0].shims[0])
    old = shim._model.linear
    new = cast(TagLogits, shim.build(old.in_features, nO)).linear
    shim.id = Shim(None).id  # what an optimizer remembers of the old weights doesn't fit
    with torch.no_grad():
        for name, parameter in new.named_parameters():
            parameter.zero_()[: old.out_features] = getattr(old, name)
    for layer in (output.layers[0], output, model):
        layer.set_dim("nO", nO, force=True)


def trained_tags(layer: Model) -> numpy.ndarray:
    """Which tags have weights that aren't those of a new label. *Shape:* (nO,), boolean

    layer: from ``tag_scores``.
    """
    linear = layer.layers[0].shims[0]._model.linear
    weights = torch.cat([linear.weight, linear.bias[:, None]], dim=1)
    return weights.any(dim=1).cpu().numpy()
