"""Word pieces: spans of text as sequences that the Hero can hold."""

import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy
from spacy.tokens import Span
from spacy_transformers.data_classes import WordpieceBatch

from .alignment import align_by_offsets, align_by_strings

# Fast tokenizers keep truncation as a state of their own and refuse two threads at once.
_tokenizer_lock = threading.Lock()
# What a tokenizer tells of a span takes more memory than is kept of it.
SPANS_AT_A_TIME = 256


@dataclass(frozen=True)
class PieceSpan:
    """A span, its word pieces, and the pieces of each of its tokens."""

    span: Span
    ids: list[int]
    strings: list[str]
    type_ids: list[int] | None
    token_pieces: list[list[int]]
    """For each token of the span, the places of its pieces in ``ids``, in order."""
    truncated: bool = False


def encode_spans(tokenizer: Any, spans: Sequence[Span], limit: int) -> list[list[PieceSpan]]:
    """Tokenize spans into sequences of at most ``limit`` pieces.

    A span with more is cut into overlapping parts; a single token with more keeps its first
    ones. Returns the parts of each span, in order.
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


def pad_batch(tokenizer: Any, parts: Sequence[PieceSpan], width: int) -> WordpieceBatch:
    """Lay the sequences under each other, padded on the right to ``width`` places."""
    pad_id = tokenizer.pad_token_id or 0
    ids = numpy.full((len(parts), width), pad_id, dtype="int64")
    mask = numpy.zeros((len(parts), width), dtype="float32")
    type_ids = numpy.full((len(parts), width), tokenizer.pad_token_type_id, dtype="int64")
    strings = []
    for row, part in enumerate(parts):
        length = len(part.ids)
        ids[row, :length] = part.ids
        mask[row, :length] = 1
        type_ids[row, :length] = part.type_ids or 0
        strings.append(part.strings + [tokenizer.pad_token or ""] * (width - length))
    return WordpieceBatch(
        strings=strings,
        input_ids=ids,  # type: ignore[arg-type]
        attention_mask=mask,  # type: ignore[arg-type]
        lengths=[len(part.ids) for part in parts],
        token_type_ids=type_ids if parts[0].type_ids is not None else None,  # type: ignore[arg-type]
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
            verbose=False,  # sequences over the limit are cut here, nothing to warn of
        )
    for i, (span, text) in enumerate(zip(spans, texts)):
        ids = batch["input_ids"][i]
        strings = [sys.intern(piece) for piece in tokenizer.convert_ids_to_tokens(ids)]
        if tokenizer.is_fast:
            token_pieces = align_by_offsets(span, text, batch["offset_mapping"][i])
        else:
            token_pieces = align_by_strings(span, strings, tokenizer.all_special_tokens)
        type_ids = batch["token_type_ids"][i] if "token_type_ids" in batch else None
        yield PieceSpan(span, ids, strings, type_ids, token_pieces)


def _cut(tokenizer: Any, whole: PieceSpan, limit: int) -> list[Span]:
    """Cut a span into parts of about ``limit`` pieces that overlap by a quarter."""
    room = max(limit - tokenizer.num_special_tokens_to_add(), 1)
    ends = numpy.maximum.accumulate(
        [pieces[-1] + 1 if pieces else 0 for pieces in whole.token_pieces]
    )
    if ends[-1] <= room:  # the pieces of no token, blanks at the end, make it too long
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
    """Keep the first pieces of a token that alone is longer than the Hero can hold."""
    own = whole.token_pieces[0]
    special = set(tokenizer.all_special_ids)
    spare = [place for place, i in enumerate(whole.ids) if i not in special or place in own]
    dropped = set(spare[len(spare) - (len(whole.ids) - limit) :])
    kept = [place for place in range(len(whole.ids)) if place not in dropped]
    moved = {place: i for i, place in enumerate(kept)}
    return PieceSpan(
        whole.span,
        [whole.ids[place] for place in kept],
        [whole.strings[place] for place in kept],
        [whole.type_ids[place] for place in kept] if whole.type_ids is not None else None,
        [[moved[place] for place in own if place in moved]],
        truncated=True,
    )
