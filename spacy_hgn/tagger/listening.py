"""Noting how much the windows say, while a module predicts."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class Listening(nn.Module):
    """A module with ``shares``, which predictions note where somebody listens."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Tensor] | None = None

    @contextmanager
    def listening(self) -> Iterator[list[Tensor]]:
        """In this context, all threads' predictions note the ``shares`` of their tokens."""
        self.heard = []
        try:
            yield self.heard
        finally:
            self.heard = None
