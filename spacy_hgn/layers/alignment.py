"""Which word pieces belong to which token."""

from collections.abc import Iterable, Sequence

import numpy
from spacy.tokens import Doc, Span
from spacy_alignments.tokenizations import get_alignments
from thinc.types import Ragged

DocAlignment = list[tuple[int, list[int]]]
"""For each token of a Doc the row of pieces that represents it, and its places there."""


def align_by_offsets(span: Span, text: str, offsets: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The pieces of each token, by the characters that they cover.

    Blanks at a piece's border are no part of it: SentencePiece and some byte-level
    tokenizers count the blank before a word as the word's own, and would otherwise hand the
    piece to the token that the blank trails.

    text: the span's text. offsets: first character of each piece in it, and the one after
    its last. Returns, for each token, the places of its pieces, in order.
    """
    owner = numpy.full(len(text), -1, dtype="int64")
    for i, token in enumerate(span):
        start = token.idx - span.start_char
        owner[start : start + len(token)] = i
    token_pieces: list[list[int]] = [[] for _ in span]
    for piece, (start, end) in enumerate(offsets):
        covered = text[start:end]
        stripped = covered.strip()
        if stripped:
            start += covered.index(stripped)
            end = start + len(stripped)
        owners = owner[start:end]
        owners = owners[owners >= 0]
        if len(owners):
            for i in range(owners[0], owners[-1] + 1):
                token_pieces[i].append(piece)
    return token_pieces


def align_by_strings(
    span: Span, strings: Sequence[str], special_tokens: Iterable[str]
) -> list[list[int]]:
    """The pieces of each token, by their letters: for tokenizers that tell no offsets."""
    special = set(special_tokens)
    letters = ["" if string in special else string for string in strings]
    token_pieces, _ = get_alignments([token.text for token in span], letters)
    return token_pieces


def align_doc(
    doc: Doc, spans: Sequence[Span], token_pieces: Sequence[list[list[int]]]
) -> DocAlignment:
    """Choose, for each token of the Doc, the span whose pieces represent it.

    Where spans overlap, that is the one in which the token stands furthest from a cut. A
    token without pieces anywhere gets the first span and an empty list.

    token_pieces: for each span, the pieces of each of its tokens.
    """
    best_margin = numpy.full(len(doc), -1, dtype="int64")
    best_row = numpy.zeros(len(doc), dtype="int64")
    for row, span in enumerate(spans):
        margin = _margins(span, len(doc))
        better = margin > best_margin[span.start : span.end]
        better &= [bool(pieces) for pieces in token_pieces[row]]
        best_margin[span.start : span.end][better] = margin[better]
        best_row[span.start : span.end][better] = row
    return [
        (row, token_pieces[row][i - spans[row].start] if best_margin[i] >= 0 else [])
        for i, row in enumerate(best_row.tolist())
    ]


def _margins(span: Span, doc_length: int) -> numpy.ndarray:
    """Tokens between each token of the span and the nearest cut; a Doc's ends cut nothing."""
    steps = numpy.arange(len(span))
    left = steps if span.start > 0 else steps + doc_length
    right = steps[::-1] if span.end < doc_length else steps[::-1] + doc_length
    return numpy.minimum(left, right)


def to_ragged(aligned: DocAlignment, row_width: int, blank: int) -> Ragged:
    """A Doc's alignment as the ragged array that spacy-transformers reads.

    row_width: places in a row. blank: the place, counted through the Doc's rows, whose
    vector stands for a token without pieces.
    """
    lengths = [len(pieces) or 1 for _, pieces in aligned]
    places = [
        place
        for row, pieces in aligned
        for place in ([row * row_width + piece for piece in pieces] or [blank])
    ]
    return Ragged(numpy.array(places, dtype="i"), numpy.array(lengths, dtype="i"))  # type: ignore[arg-type]
