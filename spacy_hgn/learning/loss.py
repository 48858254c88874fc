"""What Examples teach: the loss of their gold tags and of their incorrect spans."""

from collections.abc import Sequence
from itertools import accumulate

import numpy
import torch
from spacy.training import Example
from torch import Tensor

from ..tags import TagSet
from .incorrect_spans import incorrect_spans, span_loss, tags_of_span


def batch_loss(
    probabilities: Tensor,
    tags: numpy.ndarray,
    examples: Sequence[Example],
    tag_set: TagSet,
    incorrect_spans_key: str | None,
) -> tuple[Tensor, Tensor]:
    """The loss of a batch, a scalar on its device, and its gradient with respect to the logits.

    probabilities, and the gradient: of the tokens of all Examples. *Shape:* (tokens, tags)
    tags: the gold ones, from ``batch_tags``. *Shape:* (tokens,)
    incorrect_spans_key: where ``example.reference.spans`` holds spans that are no entities.
    """
    on_device = torch.from_numpy(tags).to(probabilities.device, non_blocking=True)
    loss, gradient = tag_loss(probabilities, on_device)
    if incorrect_spans_key is not None:
        loss += _add_incorrect_spans(
            probabilities, gradient, examples, tag_set, incorrect_spans_key
        )
    return loss, gradient


def tag_loss(probabilities: Tensor, tags: Tensor) -> tuple[Tensor, Tensor]:
    """The negative log likelihood of gold tags, summed over tokens, and its gradient.

    tags: *Shape:* (tokens,); one that is ``MISSING`` contributes nothing.
    """
    known, column = (tags >= 0).to(probabilities.dtype), tags.clamp(min=0).unsqueeze(1)
    likelihood = probabilities.gather(1, column).squeeze(1)
    tiny = torch.finfo(torch.float32).tiny
    loss = -(likelihood.clamp(min=tiny).log() * known).sum()
    gradient = probabilities * known.unsqueeze(1)
    return loss, gradient.scatter_add_(1, column, -known.unsqueeze(1))


def _add_incorrect_spans(
    probabilities: Tensor,
    gradient: Tensor,
    examples: Sequence[Example],
    tag_set: TagSet,
    key: str,
) -> float:
    """Add what incorrect spans teach to the gradient; returns their loss."""
    starts = [0, *accumulate(len(example.predicted) for example in examples)]
    rows, tags = [], []
    for start, example in zip(starts, examples):
        for span, labels in incorrect_spans(example, key, tag_set):
            tags.append(tags_of_span(span, labels, tag_set))
            rows.append(start + span.start + numpy.arange(tags[-1].shape[1]))
    if not rows:
        return 0.0
    places = torch.from_numpy(numpy.concatenate(rows)).to(probabilities.device)
    read = probabilities[places].cpu().numpy()
    bounds = numpy.cumsum([len(each) for each in rows])[:-1]
    found = [span_loss(*pair) for pair in zip(numpy.split(read, bounds), tags)]
    d_read = torch.from_numpy(numpy.concatenate([d_span for _, d_span in found]))
    gradient.index_add_(0, places, d_read.to(gradient))
    return sum(loss for loss, _ in found)
