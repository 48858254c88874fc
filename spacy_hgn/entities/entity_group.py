"""The group of entities in ``doc.spans``, which survives merging and splitting of tokens."""

import struct
from typing import Any

import srsly
from spacy.tokens import Doc, Span, SpanGroup

STORED = ">QQQllll"
"""spaCy's format of a span in a group: ID, knowledge base ID, label, tokens, characters."""


class EntityGroup(SpanGroup):
    """A SpanGroup that finds its spans by their characters.

    spaCy's own group uses indices of tokens. After ``merge_entities``, these are other tokens or
    none, and the group can't be stored. A span inside a merged token becomes that token.
    """

    def __getitem__(self, i: int) -> Span:
        if not -len(self) <= i < len(self):
            return super().__getitem__(i)  # raises the error
        try:
            span = super().__getitem__(i)
        except IndexError:  # there are fewer tokens
            span = None
        if span is None or not _has_its_characters(span):
            self._find_tokens()
            span = super().__getitem__(i)
        return span

    def to_bytes(self) -> bytes:
        for _ in self:  # reading them finds their tokens
            pass
        return super().to_bytes()

    def copy(self, doc: Doc | None = None) -> "EntityGroup":
        copied = super().copy(doc)
        return EntityGroup(copied.doc, name=copied.name, attrs=copied.attrs, spans=list(copied))

    def _find_tokens(self) -> None:
        spans: Any = super()  # its types don't say that items can be set
        for i, stored in enumerate(srsly.msgpack_loads(super().to_bytes())["spans"]):
            span_id, kb_id, label, _, _, start, end = struct.unpack(STORED, stored)
            span = self.doc.char_span(
                start, end, label, kb_id=kb_id, span_id=span_id, alignment_mode="expand"
            )
            spans.__setitem__(i, span)


def _has_its_characters(span: Span) -> bool:
    last = span.doc[span.end - 1]
    return span.doc[span.start].idx == span.start_char and last.idx + len(last) == span.end_char
