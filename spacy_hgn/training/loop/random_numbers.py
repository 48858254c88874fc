"""The states of the random number generators of Python, NumPy and torch."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch

RandomState = dict[str, Any]
"""States by generator. JSON with lists instead of arrays works too."""


def random_state() -> RandomState:
    """The current states, including torch's on the current GPU once the process uses it.

    CuPy's state can't be read. On a GPU, the dropout of Thinc's own layers uses it, as in
    ``spacy.Tok2Vec.v2``; the dropout of torch modules doesn't.
    """
    return {
        "python": random.getstate(),
        "numpy": numpy.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
    }


def put_random_state(state: RandomState) -> None:
    """Restore the states of the generators."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    numpy.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(torch.as_tensor(state["torch"], dtype=torch.uint8))
    if state["cuda"] is not None and torch.cuda.is_available():
        on_gpu = torch.as_tensor(state["cuda"], dtype=torch.uint8)
        torch.cuda.set_rng_state(on_gpu)  # takes effect once the process uses the GPU


class RandomStream:
    """A separate stream of random numbers for one part of the work."""

    def __init__(self, state: RandomState) -> None:
        self.state = state

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """The context in which random numbers come from this stream."""
        outside = random_state()
        put_random_state(self.state)
        try:
            yield
        finally:
            self.state = random_state()
            put_random_state(outside)
