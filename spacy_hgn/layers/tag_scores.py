"""The classifier: a softmax over tags for every token."""

from typing import cast

from thinc.api import Model, Softmax_v2, with_array
from thinc.types import Floats1d, Floats2d


def tag_scores(nO: int | None = None) -> Model[list[Floats2d], list[Floats2d]]:
    """Map fused vectors to tag probabilities. *Shapes:* (tokens, nI) to (tokens, nO)."""
    return with_array(Softmax_v2(nO))


def resize_tags(model: Model, nO: int) -> None:
    """Give an initialized tagger more tags; the old ones keep their weights.

    model: the tagger, whose "output_layer" is from ``tag_scores``.
    """
    softmax = model.get_ref("output_layer").layers[0]
    kept = softmax.get_dim("nO")
    weights = softmax.ops.alloc2f(nO, softmax.get_dim("nI"))
    bias = softmax.ops.alloc1f(nO)
    weights[:kept] = cast(Floats2d, softmax.get_param("W"))
    bias[:kept] = cast(Floats1d, softmax.get_param("b"))
    softmax.set_dim("nO", nO, force=True)
    softmax.set_param("W", weights)
    softmax.set_param("b", bias)
    for layer in (model.get_ref("output_layer"), model):
        if layer.has_dim("nO"):
            layer.set_dim("nO", nO, force=True)
