"""The edges of texts: the Hero's special pieces around them, such as [CLS] and [SEP].

In the authors' code, windows near a text's ends include them.
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
"""The position of a missing edge: XLNet has none on the left."""


def find_edges(
    alignment: Alignment, row_lengths: Sequence[int], special: tuple[int, int]
) -> ndarray:
    """The positions of each Doc's edges, as in the alignment.

    The left edge is directly before the text, in the row of the first token. The right edge is
    directly after it, in the row of the last token. If these tokens have no pieces, it is the Doc's
    first or last row.

    row_lengths: pieces of each row. special: the numbers of special pieces before and after a row's
    text. Returns: *Shape:* (docs, 2), left and right; ``MISSING`` if there is none, as for Docs
    without tokens.
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
    """The pieces of Docs' tokens, with edges around them as tokens of one piece."""

    places: ndarray
    """*Shape:* (pieces and edges,)"""
    owner: ndarray
    """The index of each position's source. *Shape:* (pieces and edges,)"""
    counts: ndarray
    """Pieces of each token and edge. *Shape:* (tokens and edges,)"""
    is_edge: ndarray
    """*Shape:* (tokens and edges,)"""


def insert_edges(
    places: ndarray, owner: ndarray, counts: ndarray, lengths: ndarray, edges: ndarray
) -> Inserted:
    """Add Docs' edges around their tokens.

    places, owner, counts: of the tokens alone. lengths: tokens of each Doc, at least one.
    edges: from ``find_edges``.
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
