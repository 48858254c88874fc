"""The vectors of all tokens of a batch, one Doc's behind the other's, from any tok2vec."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy
import spacy.pipeline.tok2vec
import spacy_transformers.layers.listener
import torch
from spacy.tokens import Doc
from spacy_transformers.layers.listener import TransformerListener
from thinc.api import Model, get_array_module, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..backend.blocks import group_texts
from ..backend.step_size import StepSize
from ..util.lists import ends_of, split
from .frozen.frozen_vectors import find_layers
from .special_pieces import reads_pieces, require_no_pieces, require_transformer
from .token_rows import find_rows

Tok2Vec = Model[list[Doc], list[Floats2d]]

LISTENERS = (spacy.pipeline.tok2vec.Tok2VecListener, TransformerListener)

# What listeners return as the way back to a component that isn't trained.
DEAD_ENDS = (
    spacy.pipeline.tok2vec._empty_backprop,
    spacy_transformers.layers.listener._empty_backprop,
)


class Sent(NamedTuple):
    """How a gradient, a sum over tokens, goes to a component that others may teach as well."""

    tokens: int
    """What divides it there."""
    factor: float = 1.0
    """How much it weighs there."""


class TokenVectors(Protocol):
    """The vectors of the tokens of Docs and, where they are asked for, of their texts' edges."""

    lengths: list[int]
    """Tokens of each Doc."""
    with_edges: list[int]
    """Vectors of each Doc: one for each token, and one for each edge."""
    is_edge: numpy.ndarray | None
    """Which of all vectors are those of edges; None where none are asked for."""

    @property
    def step_sizes(self) -> Sequence[StepSize]:
        """Of the Heroes that take sums for gradients, and divide when the step ends."""

    def take(self, low: int, high: int) -> Tensor:
        """Those from low up to high, counted through all Docs.

        *Shape:* (high - low, width), or (high - low, layers, width) of a frozen Hero's layers
        """

    def learn(self) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """All of them, of the same shape, and from their gradient that of the tok2vec."""


def read_vectors(
    tok2vec: Tok2Vec, docs: list[Doc], size: int, device: torch.device, edges: bool
) -> Iterator[TokenVectors]:
    """The vectors in prediction: those that lie on the Docs already all at once. Where they are
    yet to be made, those of Docs of together ``size`` tokens at a time.

    edges: whether the texts' edges are asked for. Raises ValueError where there can be none.
    """
    hero = tok2vec.layers[0] if tok2vec.layers else tok2vec
    groups = [docs] if isinstance(hero, TransformerListener) else group_texts(docs, size, len)
    for group in groups:
        yield _read(tok2vec, group, device, edges, is_train=False)[0]


def learn_vectors(
    tok2vec: Tok2Vec, docs: list[Doc], device: torch.device, edges: bool, teacher: int
) -> tuple[Tensor, TokenVectors, Callable[[Tensor, Sent | None], Any] | None]:
    """The vectors in training, *shape* (vectors, width), whose they are, and the way back from
    their gradient; None where there is nothing to learn behind them.

    The gradient is a sum over tokens, and the way back takes with it how it is sent on. A Hero of
    ours divides by the tokens of the whole step when that is done, as the component does for what
    is inside of it. Another component, behind a listener, gets the mean over this batch.

    edges: as for ``read_vectors``. teacher: tells those who teach a Hero apart.
    """
    vectors, backprop = _read(tok2vec, docs, device, edges, is_train=True)
    z, to_tok2vec = vectors.learn()
    if backprop is None:
        return z, vectors, None

    def backprop_sum(d_z: Tensor, sent: Sent | None) -> Any:
        if sent is not None:
            for step_size in vectors.step_sizes:
                step_size.add(teacher, sent.tokens)
            if _is_outside(tok2vec):
                d_z = d_z * sent.factor
            if sends_means(tok2vec, vectors):
                d_z = d_z / max(sent.tokens, 1)
        return backprop(to_tok2vec(d_z))

    return z, vectors, backprop_sum


def sends_means(tok2vec: Tok2Vec, vectors: TokenVectors) -> bool:
    """Whether the way back takes means: to a component that doesn't divide by itself."""
    return _is_outside(tok2vec) and not vectors.step_sizes


def _is_outside(tok2vec: Tok2Vec) -> bool:
    """Whether some of it belongs to another component."""
    return any(isinstance(node, LISTENERS) for node in tok2vec.walk())


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

    step_sizes = ()
    is_edge: numpy.ndarray | None = None

    def __init__(self, arrays: Sequence[Floats2d], device: torch.device) -> None:
        self.lengths = self.with_edges = [len(array) for array in arrays]
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
    tok2vec: Tok2Vec, docs: list[Doc], device: torch.device, edges: bool, is_train: bool
) -> tuple[TokenVectors, Callable | None]:
    """The vectors, and the way back to what is behind them; None where that learns nothing."""
    if edges:
        require_transformer(tok2vec)
    if not reads_pieces(tok2vec):
        arrays, backprop = tok2vec(docs, is_train)
        return ArrayVectors(arrays, device), None if backprop in DEAD_ENDS else backprop
    hero, to_arrays = tok2vec.layers
    datas, backprop_hero = hero(docs, is_train)
    if (frozen := find_layers(datas, device)) is not None:
        if edges:
            raise ValueError(
                "edges = true: a spacy-hgn.FrozenTransformer.v1 hands out vectors of tokens, and "
                "none of the pieces before and behind a text. Choose edges = false, or "
                "spacy-hgn.TransformerModel.v1."
            )
        if is_train:
            backprop_hero([])  # with nothing; a listener is to forget the batch
        return frozen, None
    is_trained = backprop_hero not in DEAD_ENDS
    learns = is_trained or _has_weights(to_arrays)
    if (rows := find_rows(datas, to_arrays, edges)) is not None:
        if not is_trained:  # nobody ends a step of that Hero
            rows.step_sizes = []
        return rows, backprop_hero if learns else None
    if edges:
        require_no_pieces(datas)
    arrays, backprop_arrays = to_arrays(datas, is_train)

    def backprop_both(d_arrays: list[Floats2d]) -> Any:
        return backprop_hero(backprop_arrays(d_arrays))

    return ArrayVectors(arrays, device), backprop_both if learns else None


def _has_weights(layer: Model) -> bool:
    """Whether there is something to learn in a pooling, say."""
    return any(node.param_names or node.shims for node in layer.walk())
