"""What an Example teaches: the loss of its gold tags and of its incorrect spans."""

from typing import Any

import numpy
from spacy.training import Example
from thinc.api import Ops
from thinc.types import Floats2d

from ..tags import TagSet, gold_tags
from .incorrect_spans import incorrect_spans, span_loss, tags_of_span


def example_loss(
    example: Example,
    probabilities: Floats2d,
    tag_set: TagSet,
    incorrect_spans_key: str | None,
    ops: Ops,
) -> tuple[float, Floats2d]:
    """An Example's loss, and its gradient with respect to the logits.

    probabilities, and the gradient: *Shape:* (tokens, tags).
    incorrect_spans_key: where ``example.reference.spans`` holds spans that are no entities.
    """
    loss, gradient = tag_loss(probabilities, gold_tags(example, tag_set), ops.xp)
    if incorrect_spans_key is None:
        return loss, gradient
    for span, labels in incorrect_spans(example, incorrect_spans_key, tag_set):
        tags = tags_of_span(span, labels, tag_set)
        rows = slice(span.start, span.start + tags.shape[1])
        span_part, d_span = span_loss(ops.to_numpy(probabilities[rows]), tags)
        loss += span_part
        gradient[rows] += ops.xp.asarray(d_span, dtype="float32")
    return loss, gradient


def tag_loss(probabilities: Floats2d, tags: numpy.ndarray, xp: Any) -> tuple[float, Floats2d]:
    """The negative log likelihood of gold tags, summed over tokens, and its gradient.

    tags: *Shape:* (tokens,); one that is ``MISSING`` contributes nothing.
    """
    known = numpy.flatnonzero(tags >= 0)
    rows, columns = xp.asarray(known), xp.asarray(tags[known])
    gradient = xp.zeros_like(probabilities)
    gradient[rows] = probabilities[rows]
    gradient[rows, columns] -= 1
    likelihood = xp.maximum(probabilities[rows, columns], numpy.finfo("float32").tiny)
    return -float(xp.log(likelihood).sum()), gradient
