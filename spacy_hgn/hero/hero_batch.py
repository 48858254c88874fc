"""The Hero's output for a batch of Docs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import ref

import numpy
import torch
from numpy import ndarray
from spacy.tokens import Span
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import Model, get_array_module, torch2xp, xp2torch
from thinc.types import Floats3d, Ragged
from transformers.utils import ModelOutput

from ..backend.step_size import StepSize
from ..util.lists import ends_of, split
from .alignment import Alignment
from .token_rows import HeroData, TokenRows

# Outputs with one row per sequence, unlike XLNet's "mems" and the caches of decoders.
ROW_OUTPUTS = ("last_hidden_state", "hidden_states", "attentions")


@dataclass
class HeroBatch(FullTransformerBatch):
    """spacy-transformers' batch, split by indices of rows and tokens.

    The base class finds a Doc's rows through a table of Token objects, which fails for a Doc that
    is in the batch twice.
    """

    source: TokenRows | None = None

    @classmethod
    def of_rows(
        cls,
        spans: list[list[Span]],
        pieces: WordpieceBatch,
        output: ModelOutput,
        alignment: Alignment,
        hero: Model,
        step_size: StepSize,
        edges: ndarray,
    ) -> "HeroBatch":
        """The batch of an output with a last hidden state for each position."""
        source = TokenRows(
            output["last_hidden_state"].detach(),
            alignment.places,
            alignment.piece_ends,
            alignment.token_ends,
            alignment.row_ends,
            ref(hero),
            step_size,
            edges,
        )
        align = Ragged(alignment.places, _lengths(alignment.piece_ends))  # type: ignore[arg-type]
        return cls(spans, pieces, output, align, source=source)

    def split_by_doc(self) -> list[TransformerData]:
        """One TransformerData per Doc; an empty one for a Doc without tokens."""
        source = self.source
        assert source is not None
        outputs = {
            name: _to_arrays(value)
            for name, value in self.model_output.items()
            if name in ROW_OUTPUTS
        }
        rows = [slice(*ends) for ends in pairwise(source.row_ends.tolist())]
        datas = []
        for number, (of_doc, align) in enumerate(zip(rows, _split_alignment(source))):
            if of_doc.start == of_doc.stop:
                datas.append(TransformerData.empty())
                continue
            output = ModelOutput({name: _take(value, of_doc) for name, value in outputs.items()})
            data = HeroData(self.wordpieces[of_doc], output, align)
            datas.append(data.belong_to(source, number))
        return datas

    def unsplit_by_doc(self, arrays: list[list[Floats3d]]) -> FullTransformerBatch:
        """The batch of gradients, from those of each Doc with tokens."""
        device = self.model_output["last_hidden_state"].device
        joined = map(_join_rows, zip(*filter(None, arrays)))
        d_outputs = [xp2torch(array, device=device) for array in joined]
        d_output = ModelOutput({f"output_{i}": value for i, value in enumerate(d_outputs)})
        return FullTransformerBatch(self.spans, self.wordpieces, d_output, self.align)


def _split_alignment(source: TokenRows) -> list[Ragged]:
    """Each Doc's alignment, with positions in the Doc's own rows."""
    piece_ends = source.piece_ends[source.token_ends]
    starts = source.row_ends[:-1] * source.hidden.shape[1]
    places = (source.places - numpy.repeat(starts, numpy.diff(piece_ends))).astype("i")
    lengths = split(_lengths(source.piece_ends), source.token_ends)
    return [Ragged(*of_doc) for of_doc in zip(split(places, piece_ends), lengths)]  # type: ignore[arg-type]


def _lengths(piece_ends: ndarray) -> ndarray:
    return numpy.diff(piece_ends).astype("i")


def _join_rows(arrays: Sequence[Any]) -> Any:
    """Concatenate arrays, without a copy if they are consecutive parts of one array."""
    whole = arrays[0].base
    row_ends = ends_of([len(array) for array in arrays])
    if (
        whole is not None
        and whole.shape == (row_ends[-1], *arrays[0].shape[1:])
        and all(
            array.base is whole and _is_same(array, whole[start:end])
            for array, (start, end) in zip(arrays, pairwise(row_ends.tolist()))
        )
    ):
        return whole
    return get_array_module(arrays[0]).concatenate(arrays)


def _is_same(array: Any, other: Any) -> bool:
    """Whether two arrays are the same memory."""
    return (array.shape, array.strides, array.dtype, _address(array)) == (
        (other.shape, other.strides, other.dtype, _address(other))
    )


def _address(array: Any) -> int:
    if isinstance(array, ndarray):
        return array.__array_interface__["data"][0]
    return array.data.ptr


def _to_arrays(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return torch2xp(value)
    return [torch2xp(v.float()) for v in value]  # NumPy has no bfloat16


def _take(value: Any, rows: slice) -> Any:
    return [v[rows] for v in value] if isinstance(value, list) else value[rows]
