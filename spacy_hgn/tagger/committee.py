"""Several heads over one Hero that predict with their mean probability."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from .hero_gang import HeroGang, RecordsShares


class Committee(RecordsShares):
    """Heads with the same settings, but different initial weights and dropout.

    It has the methods of ``HeroGang``. Each returns the mean over the members.
    """

    def __init__(self, members: Sequence[HeroGang]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.width = members[0].width

    @property
    def heads(self) -> list[HeroGang]:
        """The members."""
        return list(self.members)  # type: ignore[arg-type]

    @property
    def tags(self) -> int | None:
        """The number of tags."""
        return self.heads[0].tags

    @property
    def width_out(self) -> int:
        """The width of the output."""
        return self.heads[0].width_out

    @property
    def layers(self) -> int | None:
        """The number of the Hero's layers."""
        return self.heads[0].layers

    def fit_layers(self, layers: int) -> None:
        """Set the number of the Hero's layers for each member, unless it is known."""
        for head in self.heads:
            head.fit_layers(layers)

    def forward(self, z: Tensor, lengths: Sequence[int], rate: float = 0.0) -> Tensor:
        """The logits of all members, concatenated, as if each read a copy of the texts.
        *Shape:* (members * tokens, tags)"""
        return torch.cat([head(z, lengths, rate) for head in self.heads])

    def predict(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """The mean of the members' probabilities. *Shape:* (tokens, tags)"""
        return self._mean(lambda head: head.predict(z, lengths))

    def read(self, output: Tensor) -> Tensor:
        """Probabilities from the logits of ``forward``."""
        return self.heads[0].read(output)

    @property
    def trained_tags(self) -> Tensor:
        """The tags with trained weights. *Shape:* (tags,), boolean"""
        return self.heads[0].trained_tags

    def resize(self, tags: int) -> None:
        """Add tags to all members."""
        for head in self.heads:
            head.resize(tags)

    def weights(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """The mean attention weights of windows and Hero. *Shape:* (tokens, windows + 1)"""
        return self._mean(lambda head: head.weights(z, lengths))

    def shares(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """The mean share of the windows. *Shape:* (tokens, 1)"""
        return self._mean(lambda head: head.shares(z, lengths))

    @property
    def has_windows(self) -> bool:
        """Whether there is a Gang."""
        return self.heads[0].has_windows

    @contextmanager
    def silencing(self) -> Iterator[None]:
        """In this context, all members' windows are zeros, in all threads."""
        with ExitStack() as stack:
            for head in self.heads:
                stack.enter_context(head.silencing())
            yield

    def _mean(self, ask: Callable[[HeroGang], Tensor]) -> Tensor:
        return torch.stack(list(map(ask, self.heads))).mean(dim=0)
