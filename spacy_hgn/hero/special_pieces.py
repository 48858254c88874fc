"""The edges of texts: the Hero's special pieces around them, such as [CLS] and [SEP].

In the authors' code, windows near a text's ends include them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy
from numpy import ndarray

from ..util.lists import ends_of
from .alignment import Alignment

NO_PIECE = -1
"""The position of a missing edge: XLNet has none on the left."""


def find_edges(
    alignment: Alignment, row_lengths: Sequence[int], special: tuple[int, int]
) -> ndarray:
    """The positions of each Doc's edges, as in the alignment.

    The left edge is directly before the text, in the row of the first token. The right edge is
    directly after it, in the row of the last token. If these tokens have no pieces, it is the Doc's
    first or last row.

    row_lengths: pieces of each row. special: the numbers of special pieces before and after a row's
    text. Returns: *Shape:* (docs, 2), left and right; ``NO_PIECE`` if there is none, as for Docs
    without tokens.
    """
    before, behind = special
    token_ends, width = alignment.token_ends, alignment.row_width
    edges = numpy.full((len(token_ends) - 1, 2), NO_PIECE)
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
    is_there = edges != NO_PIECE
    at = numpy.stack([token_ends[:-1], token_ends[1:]], axis=1)[is_there]
    owners = numpy.repeat(owner[piece_ends[token_ends[:-1]]], 2).reshape(-1, 2)[is_there]
    return Inserted(
        numpy.insert(places, piece_ends[at], edges[is_there]),
        numpy.insert(owner, piece_ends[at], owners),
        numpy.insert(counts, at, 1),
        numpy.insert(numpy.zeros(len(counts), dtype=bool), at, True),
    )
