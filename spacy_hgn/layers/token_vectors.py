"""The vectors of all tokens of a batch, one Doc's behind the other's, from any tok2vec."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, cast

import spacy.pipeline.tok2vec
import spacy_transformers.layers.listener
import torch
from spacy.tokens import Doc
from spacy_transformers.layers.listener import TransformerListener
from thinc.api import Model, get_array_module, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from .blocks import group_docs
from .hero_rows import find_rows
from .lists import ends_of, split

Tok2Vec = Model[list[Doc], list[Floats2d]]

# What listeners return as the way back to a component that isn't trained.
DEAD_ENDS = (
    spacy.pipeline.tok2vec._empty_backprop,
    spacy_transformers.layers.listener._empty_backprop,
)


class TokenVectors(Protocol):
    """The vectors of the tokens of Docs."""

    lengths: list[int]
    """Tokens of each Doc."""

    def take(self, low: int, high: int) -> Tensor:
        """Those of the tokens from low up to high, counted through all Docs.

        *Shape:* (high - low, width)
        """

    def learn(self) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """All of them, *shape* (tokens, width), and from their gradient that of the tok2vec."""


def read_vectors(
    tok2vec: Tok2Vec, docs: list[Doc], size: int, device: torch.device
) -> Iterator[TokenVectors]:
    """The vectors in prediction: those that lie on the Docs already all at once. Where they are
    yet to be made, those of Docs of together ``size`` tokens at a time."""
    hero = tok2vec.layers[0] if tok2vec.layers else tok2vec
    groups = [docs] if isinstance(hero, TransformerListener) else group_docs(docs, size)
    for group in groups:
        yield _read(tok2vec, group, device, is_train=False)[0]


def learn_vectors(
    tok2vec: Tok2Vec, docs: list[Doc], device: torch.device
) -> tuple[Tensor, list[int], Callable[[Tensor], Any] | None]:
    """The vectors in training, *shape* (tokens, width), the tokens of each Doc, and the way back
    from the vectors' gradient; None where there is nothing to learn behind them."""
    vectors, backprop = _read(tok2vec, docs, device, is_train=True)
    z, to_tok2vec = vectors.learn()
    if backprop is None:
        return z, vectors.lengths, None
    return z, vectors.lengths, lambda d_z: backprop(to_tok2vec(d_z))


def width_of(tok2vec: Tok2Vec, docs: list[Doc] | None) -> int:
    """The width of the vectors. Raises ValueError where there are no Docs with tokens."""
    for array in tok2vec.predict(docs) if docs else []:
        if array.shape[1]:
            return array.shape[1]
    raise ValueError(
        "Can't tell the width of the Hero's vectors: initialize the model with a sample of "
        "non-empty Docs, after the component that the Hero listens to."
    )


class ArrayVectors:
    """Those of a tok2vec that returns one array a Doc; one without rows may have any width."""

    def __init__(self, arrays: Sequence[Floats2d], device: torch.device) -> None:
        self.lengths = [len(array) for array in arrays]
        self._arrays = arrays
        filled = [array for array in arrays if len(array)]
        if len(filled) > 1:
            filled = [get_array_module(filled[0]).concatenate(filled)]
        self._joined = (
            xp2torch(filled[0], device=device) if filled else torch.empty(0, 0, device=device)
        )

    def take(self, low: int, high: int) -> Tensor:
        return self._joined[low:high]

    def learn(self) -> tuple[Tensor, Callable[[Tensor], list[Floats2d]]]:
        return self._joined, self._split

    def _split(self, d_joined: Tensor) -> list[Floats2d]:
        parts = split(torch2xp(d_joined), ends_of(self.lengths))  # type: ignore[arg-type]
        pairs = zip(cast(list[Floats2d], parts), self._arrays)
        return [part if len(part) else array for part, array in pairs]


def _read(
    tok2vec: Tok2Vec, docs: list[Doc], device: torch.device, is_train: bool
) -> tuple[TokenVectors, Callable | None]:
    """The vectors, and the way back to what is behind them; None where that learns nothing."""
    if [layer.name for layer in tok2vec.layers[1:]] != ["trfs2arrays"]:
        arrays, backprop = tok2vec(docs, is_train)
        return ArrayVectors(arrays, device), None if backprop in DEAD_ENDS else backprop
    hero, to_arrays = tok2vec.layers
    datas, backprop_hero = hero(docs, is_train)
    learns = backprop_hero not in DEAD_ENDS or _has_weights(to_arrays)
    if (rows := find_rows(datas, to_arrays)) is not None:
        return rows, backprop_hero if learns else None
    arrays, backprop_arrays = to_arrays(datas, is_train)

    def backprop_both(d_arrays: list[Floats2d]) -> Any:
        return backprop_hero(backprop_arrays(d_arrays))

    return ArrayVectors(arrays, device), backprop_both if learns else None


def _has_weights(layer: Model) -> bool:
    """Whether there is something to learn in a pooling, say."""
    return any(node.param_names or node.shims for node in layer.walk())
