"""Gather the vectors of tokens from the Hero's rows of pieces, all at once on the device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from weakref import ref

import numpy
import torch
from numpy import ndarray
from spacy_transformers.data_classes import TransformerData
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import Floats2d, Floats3d, Ragged
from torch import Tensor
from torch.nn.functional import embedding
from transformers.utils import ModelOutput

from ..backend.step_size import StepSize
from ..util.lists import ends_of
from .special_pieces import NO_PIECE, insert_edges


@dataclass(frozen=True)
class TokenRows:
    """The vectors of a batch's word pieces, and their alignment with tokens.

    It must not reference Docs or Spans, because Docs reference it.
    """

    hidden: Tensor
    """*Shape:* (rows, places, width), in float32, without a graph, on the Hero's device."""
    places: ndarray
    """*Shape:* (pieces,): the positions of all tokens' pieces in the flattened rows."""
    piece_ends: ndarray
    """*Shape:* (tokens + 1,): token t has ``places[piece_ends[t]:piece_ends[t + 1]]``, at least
    one: a token without pieces has the position of a zero vector."""
    token_ends: ndarray
    """*Shape:* (docs + 1,): Doc k's tokens are those from ``token_ends[k]`` on ..."""
    row_ends: ndarray
    """*Shape:* (docs + 1,): ... and its rows those from ``row_ends[k]`` on."""
    hero: "ref[Model]"
    """The Hero that computed them."""
    step_size: StepSize
    """The Hero's step size, for components that train it."""
    edges: ndarray
    """*Shape:* (docs, 2): the positions of the pieces before and after each Doc's text; -1 if
    there is none."""


@dataclass
class HeroData(TransformerData):
    """A Doc's share of a batch, with a reference to the batch. Copies don't have the reference."""

    number: int = field(default=0, init=False, repr=False, compare=False)
    """The Doc's number in the batch."""
    _source: TokenRows | None = field(default=None, init=False, repr=False, compare=False)
    _made_of: tuple = field(default=(), init=False, repr=False, compare=False)

    def belong_to(self, source: TokenRows, number: int) -> "HeroData":
        """Set the batch and the Doc's index in it."""
        self._source, self.number, self._made_of = source, number, self._parts()
        return self

    @property
    def source(self) -> TokenRows | None:
        """The batch; None if the share's vectors or positions were replaced since."""
        is_as_made = all(now is then for now, then in zip(self._parts(), self._made_of))
        return self._source if is_as_made else None

    @property
    def hero(self) -> Model | None:
        """The Hero that computed the vectors; None if it no longer exists."""
        return None if self._source is None else self._source.hero()

    def _parts(self) -> tuple:
        hidden = self.model_output.get("last_hidden_state")
        return hidden, self.align.data, self.align.lengths

    def __reduce__(self) -> tuple[type, tuple]:
        return TransformerData, (self.wordpieces, self.model_output, self.align)


class Share(NamedTuple):
    """A Doc's tokens, rows and edges in a source."""

    source: TokenRows
    tokens: slice
    rows: slice
    edges: ndarray

    @classmethod
    def of(cls, data: TransformerData) -> "Share | None":
        """None for a Doc without tokens or with an unknown source."""
        if not isinstance(data, HeroData) or (source := data.source) is None:
            return None
        tokens, rows = (
            slice(*ends[data.number : data.number + 2].tolist())
            for ends in (source.token_ends, source.row_ends)
        )
        edges = source.edges[data.number]
        return cls(source, tokens, rows, edges) if tokens.start < tokens.stop else None


def find_rows(
    datas: Sequence[TransformerData], to_arrays: Model, edges: bool = False
) -> "HeroRows | None":
    """Find the tokens of Docs in the Hero's rows; None if any source is unknown, or all are empty.

    datas: one per Doc, from the Hero. to_arrays: spacy-transformers' ``trfs2arrays``, which pools a
    token's pieces into one vector. edges: whether to read the texts' edges too.
    """
    shares = list(map(Share.of, datas))
    unknown = any(data.model_output for data, share in zip(datas, shares) if share is None)
    return None if unknown or not any(shares) else HeroRows(shares, to_arrays, edges)


class HeroRows:
    """The tokens of Docs in the rows from one or several calls of the Hero.

    Docs may be in any order, repeated, or without tokens.
    """

    def __init__(
        self, shares: Sequence[Share | None], to_arrays: Model, edges: bool = False
    ) -> None:
        self.lengths = [s.tokens.stop - s.tokens.start if s else 0 for s in shares]
        self.with_edges = self.lengths
        self._shares = [share for share in shares if share is not None]
        self._pooling: Model[Ragged, Floats2d] = to_arrays.layers[0]
        self._grad_factor: float = to_arrays.attrs["grad_factor"]
        self._sources = list({id(share.source): share.source for share in self._shares}.values())
        self.step_sizes = list({id(s.step_size): s.step_size for s in self._sources}.values())
        self._is_first_alone = self._pooling.name == "reduce_first"
        self._places, self._owner, self._counts = self._find_places()
        self.is_edge: ndarray | None = None
        if edges:
            self._read_edges()
        self._ends = ends_of(self._counts)

    def take(self, low: int, high: int) -> Tensor:
        """The vectors of tokens in prediction. *Shape:* (high - low, width)"""
        return self._pool([source.hidden for source in self._sources], low, high, False)[0]

    def learn(self) -> tuple[Tensor, Callable[[Tensor], list[TransformerData]]]:
        """The vectors of all tokens in training, *shape* (tokens, width), and the backward
        function, which returns the gradient of each Doc with tokens, for its upstream."""
        hidden = [source.hidden.detach().requires_grad_() for source in self._sources]
        z, backprop_pooling = self._pool(hidden, 0, len(self._counts), True)

        def backprop(d_z: Tensor) -> list[TransformerData]:
            rows, d_rows = backprop_pooling(d_z)
            return self._by_doc(torch.autograd.grad(rows, hidden, d_rows * self._grad_factor))

        return z, backprop

    def _find_places(self) -> tuple[ndarray, ndarray, ndarray]:
        """The positions of the pieces to read, the index of each one's source, and the number of
        pieces per token."""
        places, counts = [], []
        for source, tokens, _, _ in self._shares:
            ends = source.piece_ends[tokens.start : tokens.stop + 1]
            if self._is_first_alone:
                places.append(source.places[ends[:-1]])
                counts.append(numpy.ones(len(ends) - 1, dtype="int64"))
            else:
                places.append(source.places[ends[0] : ends[-1]])
                counts.append(numpy.diff(ends))
        numbers = {id(source): i for i, source in enumerate(self._sources)}
        owners = [numbers[id(share.source)] for share in self._shares]
        owner = numpy.repeat(owners, list(map(len, places)))
        return numpy.concatenate(places), owner, numpy.concatenate(counts)

    def _read_edges(self) -> None:
        """Add the texts' edges around their tokens."""
        lengths = numpy.array(self.lengths)
        edges = numpy.stack([share.edges for share in self._shares])
        self._places, self._owner, self._counts, self.is_edge = insert_edges(
            self._places, self._owner, self._counts, lengths[lengths > 0], edges
        )
        lengths[lengths > 0] += (edges != NO_PIECE).sum(axis=1)
        self.with_edges = lengths.tolist()

    def _pool(
        self, hidden: Sequence[Tensor], low: int, high: int, is_train: bool
    ) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        """Vectors of tokens, and the backward function, which returns pieces and gradient."""
        pieces = self._gather(hidden, self._ends[low], self._ends[high])
        if self._is_first_alone:
            return pieces.detach(), lambda d_z: (pieces, d_z)
        counts = self._pooling.ops.asarray1i(self._counts[low:high])  # type: ignore[arg-type]
        z, backprop = self._pooling(Ragged(torch2xp(pieces.detach()), counts), is_train)

        def backprop_pooling(d_z: Tensor) -> tuple[Tensor, Tensor]:
            d_pieces = backprop(cast(Floats2d, torch2xp(d_z)))
            return pieces, xp2torch(d_pieces.dataXd, device=d_z.device)

        return xp2torch(z, device=pieces.device), backprop_pooling

    def _gather(self, hidden: Sequence[Tensor], low: int, high: int) -> Tensor:
        """The vectors of some of the pieces. *Shape:* (high - low, width)"""
        tables = [each.flatten(0, 1) for each in hidden]
        places = self._places[low:high]
        if len(tables) == 1:
            return embedding(_to_device(places, tables[0]), tables[0])
        owner = self._owner[low:high]
        order = numpy.argsort(owner, kind="stable")
        indices = _to_device(numpy.stack([places[order], numpy.argsort(order)]), tables[0])
        bounds = numpy.searchsorted(owner[order], numpy.arange(len(tables) + 1)).tolist()
        parts = [
            embedding(indices[0, start:end], table)
            for table, start, end in zip(tables, bounds, bounds[1:])
        ]
        return embedding(indices[1], torch.cat(parts))

    def _by_doc(self, gradients: Sequence[Tensor]) -> list[TransformerData]:
        """For each Doc, a view of the gradient of its source's rows."""
        arrays = {id(s): cast(Floats3d, torch2xp(d)) for s, d in zip(self._sources, gradients)}
        outputs = [
            ModelOutput(last_hidden_state=arrays[id(source)][rows])
            for source, _, rows, _ in self._shares
        ]
        nothing = TransformerData.empty()  # the backward pass only reads the outputs
        return [TransformerData(nothing.wordpieces, each, nothing.align) for each in outputs]


def _to_device(indices: ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(indices).to(like.device, non_blocking=True)
