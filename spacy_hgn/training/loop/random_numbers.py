"""Where the generators of random numbers stand: Python's, NumPy's and torch's."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy
import torch

RandomState = dict[str, Any]
"""By generator. As JSON, with lists for arrays, it can be put back too."""


def random_state() -> RandomState:
    """Where the generators stand now; torch's on the current GPU too, once the process uses it.

    CuPy's is missing: it can't be asked. On a GPU, the dropout of Thinc's own layers, as those of
    ``spacy.Tok2Vec.v2``, draws from it; that of torch's modules doesn't.
    """
    return {
        "python": random.getstate(),
        "numpy": numpy.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
    }


def put_random_state(state: RandomState) -> None:
    """Have the generators go on from there."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    numpy.random.set_state(tuple(state["numpy"]))
    torch.set_rng_state(torch.as_tensor(state["torch"], dtype=torch.uint8))
    if state["cuda"] is not None and torch.cuda.is_available():
        on_gpu = torch.as_tensor(state["cuda"], dtype=torch.uint8)
        torch.cuda.set_rng_state(on_gpu)  # as soon as the process uses the GPU


class RandomStream:
    """Random numbers of its own for one part of the work, whatever the others draw."""

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
