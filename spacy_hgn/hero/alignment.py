"""The alignment of word pieces and tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy
from numpy import ndarray
from spacy.attrs import IDX, LENGTH
from spacy.tokens import Span
from spacy_alignments.tokenizations import get_alignments

from ..util.lists import ends_of, join_lists, ranges, split

# The characters that ``str.strip`` removes; the last entry is for all higher codes.
_IS_BLANK = numpy.array([chr(code).isspace() for code in range(0x3002)])


@dataclass(slots=True)
class TokenPieces:
    """The pieces of a span's tokens, ordered by token."""

    places: ndarray
    """*Shape:* (pieces,): the pieces' positions in the span's sequence."""
    counts: ndarray
    """*Shape:* (tokens,): the number of pieces of each token."""

    def tolist(self) -> list[list[int]]:
        """The positions of each token's pieces."""
        return [places.tolist() for places in split(self.places, ends_of(self.counts))]


def align_by_offsets(
    spans: Sequence[Span], texts: Sequence[str], offsets: Sequence[Sequence[tuple[int, int]]]
) -> list[TokenPieces]:
    """Align pieces to tokens by the characters they cover.

    White space at the ends of a piece is ignored. SentencePiece and some byte-level tokenizers
    include the space before a word in the piece, which would otherwise be aligned to the previous
    token.

    texts: each span's text. offsets: for each span, the first character of each piece in its text,
    and the one after its last. Returns the pieces of each span's tokens.
    """
    text_ends = ends_of([len(text) for text in texts])
    token_ends = ends_of([len(span) for span in spans])
    row_ends = ends_of([len(pieces) for pieces in offsets])
    numbers = chain.from_iterable(chain.from_iterable(offsets))
    bounds = numpy.fromiter(numbers, "int64", 2 * row_ends[-1]).reshape(-1, 2)
    bounds += numpy.repeat(text_ends[:-1], numpy.diff(row_ends))[:, None]
    starts, ends = _without_blanks("".join(texts), bounds)

    token_starts, lengths = _token_characters(spans)
    shifts = text_ends[:-1] - [span.start_char for span in spans]
    token_starts = token_starts + numpy.repeat(shifts, numpy.diff(token_ends))
    begun = ends_of(numpy.bincount(token_starts, minlength=text_ends[-1]))
    ended = numpy.cumsum(numpy.bincount(token_starts + lengths, minlength=text_ends[-1] + 1))
    first = ended[starts]
    spanned = numpy.where(starts < ends, begun[ends] - first, 0)

    places = numpy.arange(len(bounds)) - numpy.repeat(row_ends[:-1], numpy.diff(row_ends))
    tokens = ranges(first, spanned)
    by_token = numpy.argsort(tokens, kind="stable")
    places = numpy.repeat(places, spanned)[by_token]
    counts = numpy.bincount(tokens, minlength=token_ends[-1])
    piece_ends = ends_of(counts)[token_ends]
    return list(map(TokenPieces, split(places, piece_ends), split(counts, token_ends)))


def align_by_strings(
    span: Span, strings: Sequence[str], special_tokens: Iterable[str]
) -> TokenPieces:
    """Align pieces to tokens by their letters, for tokenizers without offsets."""
    special = set(special_tokens)
    letters = ["" if string in special else string for string in strings]
    pieces, _ = get_alignments([token.text for token in span], letters)
    places, ends = join_lists(pieces)
    return TokenPieces(places, numpy.diff(ends))


@dataclass(frozen=True)
class Alignment:
    """The pieces of all tokens of a batch, as positions in its flattened rows.

    A token without pieces has one position in the padding.
    """

    row_width: int
    """The length of a row: that of the longest one, plus one if padding is needed."""
    places: ndarray
    """*Shape:* (pieces,), ordered by token."""
    piece_ends: ndarray
    """*Shape:* (tokens + 1,): token t has ``places[piece_ends[t]:piece_ends[t + 1]]``."""
    token_ends: ndarray
    """*Shape:* (docs + 1,): Doc k's tokens are those from ``token_ends[k]`` on ..."""
    row_ends: ndarray
    """*Shape:* (docs + 1,): ... and its rows those from ``row_ends[k]`` on."""
    without_pieces: ndarray
    """The indices of tokens without pieces."""


def align_docs(
    doc_lengths: Sequence[int],
    row_counts: Sequence[int],
    spans: Sequence[Span],
    pieces: Sequence[TokenPieces],
    row_lengths: Sequence[int],
) -> Alignment:
    """Choose, for each token of a batch, the row whose pieces represent it.

    If spans overlap, it is the row in which the token is furthest from a cut.

    doc_lengths, row_counts: tokens and rows of each Doc. spans, pieces, row_lengths: for each row,
    its span, its tokens' pieces and its number of pieces.
    """
    token_ends, row_ends = ends_of(doc_lengths), ends_of(row_counts)
    lengths = numpy.array(row_lengths)
    counts = numpy.concatenate([of_row.counts for of_row in pieces])
    candidates = _choose(token_ends, row_counts, spans, counts)

    without = candidates < 0
    width = int(lengths.max()) + bool(without.any())
    row_starts = numpy.arange(len(spans)) * width
    # After all pieces comes, for each Doc, the position after the end of its first row.
    first_rows = numpy.minimum(row_ends[:-1], len(spans) - 1)
    sources = numpy.concatenate(
        [
            *(of_row.places + start for of_row, start in zip(pieces, row_starts.tolist())),
            row_starts[first_rows] + lengths[first_rows],
        ]
    )
    of_docs = numpy.repeat(numpy.arange(len(doc_lengths)), doc_lengths)
    starts = numpy.where(without, counts.sum() + of_docs, ends_of(counts)[candidates])
    chosen_counts = numpy.where(without, 1, counts[candidates])
    return Alignment(
        width,
        sources[ranges(starts, chosen_counts)],
        ends_of(chosen_counts),
        token_ends,
        row_ends,
        numpy.flatnonzero(without),
    )


def _without_blanks(text: str, bounds: ndarray) -> tuple[ndarray, ndarray]:
    """First characters and ends of pieces, without white space at their ends.

    A piece with only white space stays as it is.
    """
    codes = numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), "uint32")
    letters = ~_IS_BLANK[numpy.minimum(codes, len(_IS_BLANK) - 1)]
    at = numpy.flatnonzero(letters)
    low, high = ends_of(letters)[bounds].T
    starts, ends = bounds.T.copy()
    has_letters = low < high
    starts[has_letters] = at[low[has_letters]]
    ends[has_letters] = at[high[has_letters] - 1] + 1
    return starts, ends


def _token_characters(spans: Sequence[Span]) -> tuple[ndarray, ndarray]:
    """First character in the Doc and length of each token."""
    tables = [
        span.doc.to_array([IDX, LENGTH])
        if len(span) == len(span.doc)  # of a part of a Doc it would make the whole Doc's
        else [(token.idx, len(token)) for token in span]
        for span in spans
    ]
    starts, lengths = numpy.concatenate(tables, dtype="int64", casting="unsafe").T
    return starts, lengths


def _choose(
    token_ends: ndarray, row_counts: Sequence[int], spans: Sequence[Span], counts: ndarray
) -> ndarray:
    """For each token of the Docs, its index among the tokens of all spans; -1 if it has no pieces
    in any. The ends of a Doc don't count as cuts."""
    doc_numbers = numpy.repeat(numpy.arange(len(row_counts)), row_counts)
    doc_lengths = numpy.diff(token_ends)[doc_numbers]
    span_starts = numpy.array([span.start for span in spans])
    span_ends = numpy.array([span.end for span in spans])
    lengths = span_ends - span_starts

    steps = ranges(numpy.zeros_like(lengths), lengths)
    left = steps + numpy.repeat(numpy.where(span_starts > 0, 0, doc_lengths), lengths)
    to_end = numpy.where(span_ends < doc_lengths, 0, doc_lengths) + lengths - 1
    margins = numpy.minimum(left, numpy.repeat(to_end, lengths) - steps)
    tokens = steps + numpy.repeat(token_ends[doc_numbers] + span_starts, lengths)

    chosen = numpy.full(token_ends[-1], -1)
    has_pieces = numpy.flatnonzero(counts)
    best_last = numpy.lexsort((-has_pieces, margins[has_pieces]))
    by_margin = has_pieces[best_last]
    chosen[tokens[by_margin]] = by_margin
    return chosen
