"""The edges of texts: the Hero's special pieces around them, such as [CLS] and [SEP].

The authors' programme has them in the windows of the tokens near a text's ends.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy
from numpy import ndarray
from spacy_transformers.data_classes import TransformerData
from thinc.api import Model

from ..util.lists import ends_of
from .alignment import Alignment
from .hero_batch import HeroData

MISSING = -1
"""The place of an edge that isn't there: XLNet has none on the left."""


def find_edges(
    alignment: Alignment, row_lengths: Sequence[int], special: tuple[int, int]
) -> ndarray:
    """The places of each Doc's edges, counted as the alignment counts.

    The left one is directly before the text, in the row in which the first token stands; the
    right one is directly behind it, in that of the last token. Tokens without pieces stand in
    the Doc's first row and in its last.

    row_lengths: pieces of each row. special: how many of these are before a row's text, and
    how many behind it. Returns: *Shape:* (docs, 2), left and right, ``MISSING`` where there is
    none, as for Docs without tokens.
    """
    before, behind = special
    token_ends, width = alignment.token_ends, alignment.row_width
    edges = numpy.full((len(token_ends) - 1, 2), MISSING)
    filled = numpy.flatnonzero(numpy.diff(token_ends))
    first, last = token_ends[filled], token_ends[filled + 1] - 1
    first_rows = alignment.places[alignment.piece_ends[first]] // width
    last_rows = alignment.places[alignment.piece_ends[last]] // width
    silent = numpy.isin(last, alignment.without_pieces)
    last_rows[silent] = alignment.row_ends[filled + 1][silent] - 1
    if before:
        edges[filled, 0] = first_rows * width + before - 1
    if behind:
        edges[filled, 1] = last_rows * width + numpy.asarray(row_lengths)[last_rows] - behind
    return edges


class Inserted(NamedTuple):
    """The pieces of Docs' tokens, and edges around them, each as a token of one piece."""

    places: ndarray
    """*Shape:* (pieces and edges,)"""
    owner: ndarray
    """The number of each place's source. *Shape:* (pieces and edges,)"""
    counts: ndarray
    """Pieces of each token and edge. *Shape:* (tokens and edges,)"""
    is_edge: ndarray
    """*Shape:* (tokens and edges,)"""


def insert_edges(
    places: ndarray, owner: ndarray, counts: ndarray, lengths: ndarray, edges: ndarray
) -> Inserted:
    """Put Docs' edges around their tokens.

    places, owner, counts: those of the tokens alone. lengths: tokens of each Doc, at least one.
    edges: as from ``find_edges``.
    """
    token_ends, piece_ends = ends_of(lengths), ends_of(counts)
    is_there = edges != MISSING
    at = numpy.stack([token_ends[:-1], token_ends[1:]], axis=1)[is_there]
    owners = numpy.repeat(owner[piece_ends[token_ends[:-1]]], 2).reshape(-1, 2)[is_there]
    return Inserted(
        numpy.insert(places, piece_ends[at], edges[is_there]),
        numpy.insert(owner, piece_ends[at], owners),
        numpy.insert(counts, at, 1),
        numpy.insert(numpy.zeros(len(counts), dtype=bool), at, True),
    )


def require_transformer(tok2vec: Model) -> None:
    """Raise ValueError for a tok2vec that has no Transformer's pieces behind it."""
    if not reads_pieces(tok2vec):
        raise ValueError(
            "edges = true: expected a tok2vec that reads a Transformer, such as "
            "spacy-transformers.TransformerListener.v1 or spacy-hgn.Tok2VecTransformer.v1, got "
            f"{tok2vec.name!r}. Nothing else has pieces before and behind a text: choose one of "
            "them, or edges = false."
        )


def reads_pieces(tok2vec: Model) -> bool:
    """Whether a tok2vec pools the vectors of a Transformer's pieces."""
    return [layer.name for layer in tok2vec.layers[1:]] == ["trfs2arrays"]


def require_no_pieces(datas: Sequence[TransformerData]) -> None:
    """Raise ValueError for Docs whose edges aren't known, unless all are empty or, as while a
    pipeline is initialized, have no vectors yet."""
    if not any(map(_has_pieces, datas)):
        return
    strangers = (data for data in datas if data.model_output and not _knows_edges(data))
    found = next(strangers, None)
    if found is None or isinstance(found, HeroData):
        what = "vectors, or an alignment, that were replaced since"
    elif _has_pieces(found):
        what = f"{type(found).__name__} of another Transformer, or of a Doc that was stored"
    else:
        what = "a Doc without vectors"
    raise ValueError(
        "edges = true: expected a Transformer's vectors as spacy-hgn.TransformerModel.v1 returns "
        f"them, got {what}. Only these tell which pieces are before and behind a text: give the "
        "transformer that architecture and have it read the Docs anew, or choose edges = false."
    )


def _knows_edges(data: TransformerData) -> bool:
    return isinstance(data, HeroData) and data.source is not None


def _has_pieces(data: TransformerData) -> bool:
    """Whether a Doc has vectors: those that stand for missing ones are of pieces without text."""
    return any(map(any, data.wordpieces.strings))
