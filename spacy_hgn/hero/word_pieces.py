"""Tokenize spans into sequences of word pieces for the Hero."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any
from weakref import WeakKeyDictionary

import numpy
from numpy import ndarray
from spacy.tokens import Span
from spacy_transformers.data_classes import WordpieceBatch

from ..util.lists import join_lists, split
from .alignment import TokenPieces, align_by_offsets, align_by_strings

# Fast tokenizers store truncation as state, and can't be used by two threads at once.
_tokenizer_lock = threading.Lock()
# A tokenizer's output for a span takes more memory than the part that is kept.
SPANS_AT_A_TIME = 256
# All pieces of each tokenizer so far, by their ids.
_strings: WeakKeyDictionary[Any, dict[int, str]] = WeakKeyDictionary()
_special: WeakKeyDictionary[Any, tuple[int, int]] = WeakKeyDictionary()


@dataclass(slots=True)
class PieceSpan:
    """A span, its word pieces, and their alignment with its tokens."""

    span: Span
    ids: ndarray
    """*Shape:* (pieces,)"""
    strings: list[str]
    type_ids: ndarray | None
    of_tokens: TokenPieces
    truncated: bool = False

    @property
    def token_pieces(self) -> list[list[int]]:
        """For each token of the span, the positions of its pieces in ``ids``, in order."""
        return self.of_tokens.tolist()


def encode_spans(tokenizer: Any, spans: Sequence[Span], limit: int) -> list[list[PieceSpan]]:
    """Tokenize spans into sequences of at most ``limit`` pieces.

    A span with more pieces is split into overlapping parts. A single token with more keeps its
    first ones. Returns the parts of each span, in order.
    """
    encoded = [[whole] for whole in _encode(tokenizer, spans)]
    for i, [whole] in enumerate(encoded):
        if len(whole.ids) <= limit:
            continue
        if len(whole.span) == 1:
            encoded[i] = [_truncate(tokenizer, whole, limit)]
        else:
            nested = encode_spans(tokenizer, _cut(tokenizer, whole, limit), limit)
            encoded[i] = [part for parts in nested for part in parts]
    return encoded


def count_special(tokenizer: Any) -> tuple[int, int]:
    """The numbers of special pieces that a tokenizer adds before and after a text."""
    if tokenizer not in _special:
        with _tokenizer_lock:
            bare, whole = (
                tokenizer(["a"], add_special_tokens=added, verbose=False)["input_ids"][0]
                for added in (False, True)
            )
        ends = range(len(bare), len(whole) + 1)
        end = next((n for n in ends if whole[n - len(bare) : n] == bare), None)
        found = (0, 0) if end is None else (end - len(bare), len(whole) - end)
        _special[tokenizer] = found
    return _special[tokenizer]


def pad_batch(tokenizer: Any, parts: Sequence[PieceSpan], width: int) -> WordpieceBatch:
    """Stack the sequences, padded on the right to ``width``."""
    lengths = [len(part.ids) for part in parts]
    is_piece = numpy.arange(width) < numpy.array(lengths)[:, None]
    ids = numpy.full(is_piece.shape, tokenizer.pad_token_id or 0, dtype="int64")
    ids[is_piece] = numpy.concatenate([part.ids for part in parts])
    type_ids = None
    if parts[0].type_ids is not None:
        type_ids = numpy.full(is_piece.shape, tokenizer.pad_token_type_id, dtype="int64")
        type_ids[is_piece] = numpy.concatenate([part.type_ids for part in parts])
    padding = [tokenizer.pad_token or ""] * width
    return WordpieceBatch(
        strings=[part.strings + padding[length:] for part, length in zip(parts, lengths)],
        input_ids=ids,  # type: ignore[arg-type]
        attention_mask=is_piece.astype("float32"),  # type: ignore[arg-type]
        lengths=lengths,
        token_type_ids=type_ids,  # type: ignore[arg-type]
    )


def _encode(tokenizer: Any, spans: Sequence[Span]) -> Iterator[PieceSpan]:
    for first in range(0, len(spans), SPANS_AT_A_TIME):
        yield from _encode_some(tokenizer, spans[first : first + SPANS_AT_A_TIME])


def _encode_some(tokenizer: Any, spans: Sequence[Span]) -> Iterator[PieceSpan]:
    texts = [span.text for span in spans]
    with _tokenizer_lock:
        batch = tokenizer(
            texts,
            add_special_tokens=True,
            return_attention_mask=False,
            return_offsets_mapping=tokenizer.is_fast,
            verbose=False,  # no warning for long sequences, which are split below
        )
    ids = batch["input_ids"]
    strings = _name_pieces(tokenizer, ids)
    if tokenizer.is_fast:
        of_tokens = align_by_offsets(spans, texts, batch["offset_mapping"])
    else:
        special = tokenizer.all_special_tokens
        of_tokens = [align_by_strings(*row, special) for row in zip(spans, strings)]
    type_ids = _to_arrays(batch["token_type_ids"]) if "token_type_ids" in batch else repeat(None)
    return map(PieceSpan, spans, _to_arrays(ids), strings, type_ids, of_tokens)


def _name_pieces(tokenizer: Any, rows: Sequence[Sequence[int]]) -> list[list[str]]:
    """The pieces as strings, one shared object per piece."""
    known = _strings.setdefault(tokenizer, {})
    new = list(set().union(*rows) - known.keys())
    known.update(zip(new, tokenizer.convert_ids_to_tokens(new)))
    return [[known[i] for i in row] for row in rows]


def _to_arrays(rows: Sequence[Sequence[int]]) -> list[ndarray]:
    return split(*join_lists(rows))


def _cut(tokenizer: Any, whole: PieceSpan, limit: int) -> list[Span]:
    """Split a span into parts of about ``limit`` pieces that overlap by a quarter."""
    room = max(limit - tokenizer.num_special_tokens_to_add(), 1)
    ends = numpy.maximum.accumulate(
        [pieces[-1] + 1 if pieces else 0 for pieces in whole.token_pieces]
    )
    if ends[-1] <= room:  # pieces of white space at the end make it too long
        half = len(ends) // 2
        return [whole.span[:half], whole.span[half:]]
    parts = []
    start = 0
    while True:
        used = ends[start - 1] if start else 0
        end = max(int(numpy.searchsorted(ends, used + room, side="right")), start + 1)
        parts.append(whole.span[start:end])
        if end >= len(ends):
            return parts
        overlap = int(numpy.searchsorted(ends, ends[end - 1] - room // 4, side="right"))
        start = min(max(overlap, start + 1), end)


def _truncate(tokenizer: Any, whole: PieceSpan, limit: int) -> PieceSpan:
    """Keep the first pieces of a single token that is too long for the Hero."""
    own = whole.of_tokens.places
    is_spare = ~numpy.isin(whole.ids, tokenizer.all_special_ids)
    is_spare[own] = True
    spare = numpy.flatnonzero(is_spare)
    kept = numpy.delete(numpy.arange(len(whole.ids)), spare[limit - len(whole.ids) :])
    own = numpy.flatnonzero(numpy.isin(kept, own))
    return PieceSpan(
        whole.span,
        whole.ids[kept],
        [whole.strings[place] for place in kept],
        whole.type_ids[kept] if whole.type_ids is not None else None,
        TokenPieces(own, numpy.array([len(own)])),
        truncated=True,
    )
