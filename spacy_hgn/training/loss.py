"""The loss of Examples: of their gold tags and incorrect spans."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy
import torch
from spacy.training import Example
from torch import Tensor

from ..tags.tag_set import TagSet
from .incorrect_spans import incorrect_spans, span_loss, tags_of_span


class Loss(NamedTuple):
    """The loss of a batch, summed over its tokens."""

    total: Tensor
    """A scalar on the device."""
    gradient: Tensor
    """The gradient of the total with respect to the logits. *Shape:* (tokens, tags)"""
    tokens: int
    """The number of tokens that are annotated or part of an incorrect span."""


def batch_loss(
    probabilities: Tensor,
    tags: numpy.ndarray,
    examples: Sequence[Example],
    tag_set: TagSet,
    incorrect_spans_key: str | None,
) -> Loss:
    """The loss of a batch.

    probabilities: of the tokens of all Examples. *Shape:* (tokens, tags)
    tags: the gold ones, from ``batch_tags``. *Shape:* (tokens,)
    incorrect_spans_key: the key in ``example.reference.spans`` of spans that aren't entities.
    """
    on_device = torch.from_numpy(tags).to(probabilities.device, non_blocking=True)
    total, gradient = tag_loss(probabilities, on_device)
    teaches = tags >= 0
    if incorrect_spans_key is not None:
        rows, spans = _find_incorrect_spans(examples, tag_set, incorrect_spans_key)
        total += _add_incorrect_spans(probabilities, gradient, rows, spans)
        for of_span in rows:
            teaches[of_span] = True
    return Loss(total, gradient, int(teaches.sum()))


def tag_loss(probabilities: Tensor, tags: Tensor) -> tuple[Tensor, Tensor]:
    """The negative log likelihood of gold tags, summed over tokens, a scalar, and its gradient with
    respect to the logits, *shape* (tokens, tags).

    probabilities: *Shape:* (tokens, tags). tags: *Shape:* (tokens,). ``MISSING`` ones are ignored.
    """
    known, column = (tags >= 0).to(probabilities.dtype), tags.clamp(min=0).unsqueeze(1)
    likelihood = probabilities.gather(1, column).squeeze(1)
    tiny = torch.finfo(torch.float32).tiny
    loss = -(likelihood.clamp(min=tiny).log() * known).sum()
    gradient = probabilities * known.unsqueeze(1)
    return loss, gradient.scatter_add_(1, column, -known.unsqueeze(1))


def _find_incorrect_spans(
    examples: Sequence[Example], tag_set: TagSet, key: str
) -> tuple[list[numpy.ndarray], list[numpy.ndarray]]:
    """The rows of each incorrect span, among the tokens of all Examples, and its tags."""
    starts = [0, *accumulate(len(example.predicted) for example in examples)]
    rows, tags = [], []
    for start, example in zip(starts, examples):
        for span, labels in incorrect_spans(example, key, tag_set):
            tags.append(tags_of_span(span, labels, tag_set))
            rows.append(start + span.start + numpy.arange(tags[-1].shape[1]))
    return rows, tags


def _add_incorrect_spans(
    probabilities: Tensor,
    gradient: Tensor,
    rows: list[numpy.ndarray],
    tags: list[numpy.ndarray],
) -> float:
    """Add the gradient of incorrect spans; returns their loss."""
    if not rows:
        return 0.0
    places = torch.from_numpy(numpy.concatenate(rows)).to(probabilities.device)
    read = probabilities[places].cpu().numpy()
    bounds = numpy.cumsum([len(each) for each in rows])[:-1]
    found = [span_loss(*pair) for pair in zip(numpy.split(read, bounds), tags)]
    d_read = torch.from_numpy(numpy.concatenate([d_span for _, d_span in found]))
    gradient.index_add_(0, places, d_read.to(gradient))
    return sum(loss for loss, _ in found)
