"""The state of the random numbers that training draws: Python's, NumPy's and torch's."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from torch import Tensor


@dataclass(frozen=True)
class RandomState:
    """Where the generators stand; torch's on the current GPU too, once the process uses it.

    CuPy's is missing: it can't be asked. On a GPU, the dropout of Thinc's own layers, as those of
    ``spacy.Tok2Vec.v2``, draws from it; that of torch's modules doesn't.
    """

    python: tuple[Any, ...]
    numpy: dict[str, Any]
    torch: Tensor
    cuda: Tensor | None

    @classmethod
    def take(cls) -> "RandomState":
        """Where the generators stand now."""
        return cls(
            python=random.getstate(),
            numpy=numpy.random.get_state(legacy=False),
            torch=torch.get_rng_state(),
            cuda=torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,
        )

    def put(self) -> None:
        """Have the generators go on from here."""
        random.setstate(self.python)
        numpy.random.set_state(self.numpy)
        torch.set_rng_state(self.torch)
        if self.cuda is not None and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.cuda)  # as soon as the process uses the GPU

    def to_json(self) -> dict[str, Any]:
        generator = self.numpy["state"]
        return {
            "python": [self.python[0], list(self.python[1]), self.python[2]],
            "numpy": {**self.numpy, "state": {**generator, "key": generator["key"].tolist()}},
            "torch": self.torch.tolist(),
            "cuda": None if self.cuda is None else self.cuda.tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "RandomState":
        version, numbers, gauss = data["python"]
        generator = data["numpy"]["state"]
        key = numpy.array(generator["key"], dtype="uint32")
        return cls(
            python=(version, tuple(numbers), gauss),
            numpy={**data["numpy"], "state": {**generator, "key": key}},
            torch=torch.tensor(data["torch"], dtype=torch.uint8),
            cuda=None if data["cuda"] is None else torch.tensor(data["cuda"], dtype=torch.uint8),
        )


class RandomStream:
    """Random numbers of its own for one part of the work, whatever the others draw."""

    def __init__(self, state: RandomState) -> None:
        self.state = state

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """The context in which random numbers come from this stream."""
        outside = RandomState.take()
        self.state.put()
        try:
            yield
        finally:
            self.state = RandomState.take()
            outside.put()
