"""The alignment as plain loops over pieces and tokens, to compare with."""

from collections.abc import Iterable, Sequence

from spacy.tokens import Doc, Span


def align_by_offsets(span: Span, text: str, offsets: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The pieces of each token: those that reach from its letters, or over them, or to them.

    Blanks at a piece's border are no part of it, unless it has nothing else.
    """
    owner = [-1] * len(text)
    for i, token in enumerate(span):
        start = token.idx - span.start_char
        owner[start : start + len(token)] = [i] * len(token)
    token_pieces: list[list[int]] = [[] for _ in span]
    for piece, (start, end) in enumerate(offsets):
        covered = text[start:end]
        stripped = covered.strip()
        if stripped:
            start += covered.index(stripped)
            end = start + len(stripped)
        owners = [i for i in owner[start:end] if i >= 0]
        if owners:
            for i in range(owners[0], owners[-1] + 1):
                token_pieces[i].append(piece)
    return token_pieces


def align_doc(
    doc: Doc, spans: Sequence[Span], token_pieces: Sequence[list[list[int]]]
) -> list[tuple[int, list[int]]]:
    """For each token the first row in which it has pieces and stands furthest from a cut, and
    its pieces there; none if it has pieces in no row."""
    aligned = []
    for i in range(len(doc)):
        rows = [
            row
            for row, span in enumerate(spans)
            if span.start <= i < span.end and token_pieces[row][i - span.start]
        ]
        best = max(rows, key=lambda row: _margin(spans[row], i), default=-1)
        aligned.append((best, token_pieces[best][i - spans[best].start] if rows else []))
    return aligned


def _margin(span: Span, i: int) -> int:
    left = i - span.start if span.start > 0 else i + len(span.doc)
    right = span.end - 1 - i
    return min(left, right if span.end < len(span.doc) else right + len(span.doc))


def places_in_rows(
    aligned: list[tuple[int, list[int]]], row_width: int, blank: int
) -> list[list[int]]:
    """For each token of a Doc the places of its pieces, counted through the Doc's rows; for one
    without pieces the place ``blank``."""
    return [[row * row_width + piece for piece in pieces] or [blank] for row, pieces in aligned]
