"""Gradients over logits, checked by moving each logit a little."""

from collections.abc import Callable

import numpy

STEP = 1e-5


def softmax(logits: numpy.ndarray) -> numpy.ndarray:
    exp = numpy.exp(logits - logits.max(axis=-1, keepdims=True))
    return exp / exp.sum(axis=-1, keepdims=True)


def slope(loss: Callable[[numpy.ndarray], float], logits: numpy.ndarray) -> numpy.ndarray:
    """The gradient of the loss of ``softmax(logits)``, by central differences."""
    found = numpy.zeros_like(logits)
    for index in numpy.ndindex(logits.shape):
        step = numpy.zeros_like(logits)
        step[index] = STEP
        found[index] = (loss(softmax(logits + step)) - loss(softmax(logits - step))) / (2 * STEP)
    return found
