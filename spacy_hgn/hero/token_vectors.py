"""The concatenated vectors of all tokens of a batch, from any tok2vec."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy
import spacy.pipeline.tok2vec
import spacy_transformers.layers.listener
import torch
from spacy.tokens import Doc
from spacy_transformers.data_classes import TransformerData
from spacy_transformers.layers.listener import TransformerListener
from thinc.api import Model, get_array_module, torch2xp, xp2torch
from thinc.types import Floats2d
from torch import Tensor

from ..backend.step_size import StepSize
from ..util.lists import ends_of, group_texts, split
from .frozen.frozen_vectors import find_layers
from .token_rows import HeroData, find_rows

Tok2Vec = Model[list[Doc], list[Floats2d]]

LISTENERS = (spacy.pipeline.tok2vec.Tok2VecListener, TransformerListener)

# The backward functions of listeners to components that aren't trained.
DEAD_ENDS = (
    spacy.pipeline.tok2vec._empty_backprop,
    spacy_transformers.layers.listener._empty_backprop,
)


class Sent(NamedTuple):
    """How to send a gradient, a sum over tokens, to a component that others may train too."""

    tokens: int
    """The number to divide it by."""
    factor: float = 1.0
    """Its weight."""


class TokenVectors(Protocol):
    """The vectors of the tokens of Docs and, if requested, of their texts' edges."""

    lengths: list[int]
    """Tokens of each Doc."""
    with_edges: list[int]
    """The number of vectors of each Doc: one per token and per edge."""
    is_edge: numpy.ndarray | None
    """A mask of the vectors of edges; None if edges aren't requested."""

    @property
    def step_sizes(self) -> Sequence[StepSize]:
        """The step sizes of Heroes that divide summed gradients at the end of a step."""

    def take(self, low: int, high: int) -> Tensor:
        """The vectors from low up to high, among those of all Docs.

        *Shape:* (high - low, width), or (high - low, layers, width) of a frozen Hero's layers
        """

    def learn(self) -> tuple[Tensor, Callable[[Tensor], Any]]:
        """All vectors, and the function from their gradient to that of the tok2vec."""


def read_vectors(
    tok2vec: Tok2Vec, docs: list[Doc], size: int, device: torch.device, edges: bool
) -> Iterator[TokenVectors]:
    """The vectors in prediction. If they are already on the Docs, all at once; otherwise in groups
    of Docs with ``size`` tokens.

    edges: whether to read the texts' edges. Raises ValueError if there can't be any.
    """
    hero = tok2vec.layers[0] if tok2vec.layers else tok2vec
    groups = [docs] if isinstance(hero, TransformerListener) else group_texts(docs, size, len)
    for group in groups:
        yield _read(tok2vec, group, device, edges, is_train=False)[0]


def learn_vectors(
    tok2vec: Tok2Vec, docs: list[Doc], device: torch.device, edges: bool, teacher: int
) -> tuple[Tensor, TokenVectors, Callable[[Tensor, Sent | None], Any] | None]:
    """The vectors in training, *shape* (vectors, width), their ``TokenVectors``, and the backward
    function; None instead of it if nothing before them is trained.

    The backward function takes a gradient that is a sum over tokens, and a ``Sent``. Our Hero
    divides by the tokens of the whole step at its end, and so does the component for its own parts.
    Any other component, behind a listener, gets the mean over this batch.

    edges: as in ``read_vectors``. teacher: identifies the component that trains a Hero.
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
    """Whether to send means back, because the receiving component doesn't divide."""
    return _is_outside(tok2vec) and not vectors.step_sizes


def _is_outside(tok2vec: Tok2Vec) -> bool:
    """Whether a part of it belongs to another component."""
    return any(isinstance(node, LISTENERS) for node in tok2vec.walk())


def width_of(tok2vec: Tok2Vec, docs: list[Doc] | None) -> int:
    """The width of the vectors. Raises ValueError without Docs with tokens."""
    for array in tok2vec.predict(docs) if docs else []:
        if array.shape[1]:
            return array.shape[1]
    raise ValueError(
        "Unknown width of the Hero's vectors: initialize the model with a sample of "
        "non-empty Docs, after the component that the Hero listens to."
    )


class ArrayVectors:
    """The vectors of a tok2vec that returns one array per Doc. Empty arrays can have any width."""

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
    """The vectors and the backward function; None if nothing before them is trained."""
    if edges:
        require_transformer(tok2vec)
    if not reads_pieces(tok2vec):
        arrays, backprop = tok2vec(docs, is_train)
        return ArrayVectors(arrays, device), None if backprop in DEAD_ENDS else backprop
    hero, to_arrays = tok2vec.layers
    datas, backprop_hero = hero(docs, is_train)
    is_trained = backprop_hero not in DEAD_ENDS
    learns = is_trained or _has_weights(to_arrays)
    if (rows := find_rows(datas, to_arrays, edges)) is not None:
        if not is_trained:  # no step of that Hero ends
            rows.step_sizes = []
        return rows, backprop_hero if learns else None
    if (frozen := find_layers(datas, device)) is not None:
        if edges:
            raise ValueError(
                "edges = true: spacy-hgn.FrozenTransformer.v1 returns vectors of tokens, but none "
                "of the pieces before and after a text. Choose edges = false, or "
                "spacy-hgn.TransformerModel.v1."
            )
        if is_train:
            backprop_hero([])  # empty, so that the listener forgets the batch
        return frozen, None
    if edges:
        require_no_pieces(datas)
    arrays, backprop_arrays = to_arrays(datas, is_train)

    def backprop_both(d_arrays: list[Floats2d]) -> Any:
        return backprop_hero(backprop_arrays(d_arrays))

    return ArrayVectors(arrays, device), backprop_both if learns else None


def _has_weights(layer: Model) -> bool:
    """Whether a layer, such as a pooling, has weights."""
    return any(node.param_names or node.shims for node in layer.walk())


def require_transformer(tok2vec: Model) -> None:
    """Raise ValueError for a tok2vec that doesn't read a Transformer's pieces."""
    if not reads_pieces(tok2vec):
        raise ValueError(
            "edges = true: expected a tok2vec that reads a Transformer, such as "
            "spacy-transformers.TransformerListener.v1 or spacy-hgn.Tok2VecTransformer.v1, got "
            f"{tok2vec.name!r}. Nothing else has pieces before and after a text: choose one of "
            "them, or edges = false."
        )


def reads_pieces(tok2vec: Model) -> bool:
    """Whether a tok2vec pools the vectors of a Transformer's pieces."""
    return [layer.name for layer in tok2vec.layers[1:]] == ["trfs2arrays"]


def require_no_pieces(datas: Sequence[TransformerData]) -> None:
    """Raise ValueError for Docs with unknown edges, unless all are empty or, as during
    initialization, have no vectors yet."""
    if not any(map(_has_pieces, datas)):
        return
    strangers = (data for data in datas if data.model_output and not _knows_edges(data))
    found = next(strangers, None)
    if found is None or isinstance(found, HeroData):
        what = "replaced vectors or a replaced alignment"
    elif _has_pieces(found):
        what = f"{type(found).__name__} of another Transformer, or of a Doc that was stored"
    else:
        what = "a Doc without vectors"
    raise ValueError(
        "edges = true: expected a Transformer's vectors as spacy-hgn.TransformerModel.v1 returns "
        f"them, got {what}. Only these include the pieces before and after a text: set this "
        "architecture for the transformer and run it on the Docs again, or choose edges = false."
    )


def _knows_edges(data: TransformerData) -> bool:
    return isinstance(data, HeroData) and data.source is not None


def _has_pieces(data: TransformerData) -> bool:
    """Whether a Doc has vectors. Placeholders have pieces without text."""
    return any(map(any, data.wordpieces.strings))
