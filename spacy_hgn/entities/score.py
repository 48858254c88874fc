"""``ent._.score``, the probability of an entity, also on copies and parts of its Doc.

Other components may define a ``Span._.score`` too, before or after this one. Spans that they set
have their value; entities of hgn_ner keep ours.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import ref

import numpy
from spacy.tokens import Doc, Span
from spacy.tokens.underscore import is_writable_attr

logger = logging.getLogger("spacy_hgn")

MARK = {"factory": "hgn_ner"}
"""Marks the groups of this factory's components in ``doc.spans``."""

Place = tuple[int, int, str]
"""First character of an entity, character after the last, label."""


def register_score() -> None:
    """Register ``Span._.score``. Another extension with that name isn't changed."""
    if not Span.has_extension("score"):
        Span.set_extension("score", getter=score_of)
    elif not (_is_ours() or _can_be_set()):
        logger.warning(
            "There is another extension Span._.score with its own getter: hgn_ner's scores are "
            "in doc.spans only."
        )


def score_of(span: Span) -> float | None:
    """The value that was set as the span's score, or hgn_ner's probability of the entity; None if
    hgn_ner didn't predict it."""
    user_data: Any = span.doc.user_data
    if (given := _key("score", span)) in user_data:
        return user_data[given]
    groups = [group for group in span.doc.spans.values() if MARK.items() <= group.attrs.items()]
    if groups:
        return next((s for s in (_in_group(span, g.attrs) for g in groups) if s is not None), None)
    joined = user_data.get(_key(MARK["factory"], span))
    if joined is not None:
        return joined.get(span.label_)
    tensor = span.doc.tensor
    place = span.start_char, span.end_char, span.label_
    return tensor.scores.get(place) if isinstance(tensor, CutTensor) else None


def keep_scores(doc: Doc, scored: Sequence[tuple[Span, float]]) -> None:
    """Store scores so that copies and parts of the Doc keep them.

    ``Doc.from_docs`` and ``as_doc(copy_user_data=True)`` copy the user data, by characters.
    ``as_doc()`` copies only the tensor.
    """
    if not scored:
        return
    user_data: Any = doc.user_data
    is_others = not _is_ours() and _can_be_set()
    for span, probability in scored:
        score = float(numpy.float32(probability))  # as in doc.spans
        user_data.setdefault(_key(MARK["factory"], span), {})[span.label_] = score
        if is_others:
            span._.score = score
    if isinstance(doc.tensor, numpy.ndarray):
        doc.tensor = CutTensor.of(doc)


def forget_score(span: Span) -> None:
    """Remove the span's score from ``doc.user_data``, whichever component set it."""
    user_data: Any = span.doc.user_data
    for name in ("score", MARK["factory"]):
        user_data.pop(_key(name, span), None)


class CutTensor(numpy.ndarray):
    """A Doc's tensor, usually empty, that carries scores.

    ``as_doc()`` copies nothing else that could hold them. It slices the tensor like the tokens.
    """

    doc: ref[Doc] | None = None
    """The Doc to be cut."""
    scores: Mapping[Place, float | None] = {}
    """The scores of a Doc made by ``as_doc()``."""

    @classmethod
    def of(cls, doc: Doc) -> "CutTensor":
        tensor = doc.tensor.view(cls)
        tensor.doc = ref(doc)
        return tensor

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        doc = self.doc() if self.doc is not None else None
        if doc is not None and isinstance(index, slice) and isinstance(part, CutTensor):
            span = doc[index]
            first = span.start_char
            part.scores = {
                (ent.start_char - first, ent.end_char - first, ent.label_): score_of(ent)
                for ent in span.ents
            }
        return part


def _in_group(span: Span, attrs: Mapping) -> float | None:
    entities = attrs["entities"]
    i = int(numpy.searchsorted(entities[:, 0], span.start_char))
    place = span.start_char, span.end_char, span.label
    while i < len(entities) and entities[i, 0] == span.start_char:
        if tuple(entities[i].tolist()) == place:
            return float(attrs["scores"][i])
        i += 1
    return None


def _key(name: str, span: Span) -> tuple[str, str, int, int]:
    """Where spaCy has an extension attribute of a span in ``doc.user_data``."""
    return "._.", name, span.start_char, span.end_char


def _is_ours() -> bool:
    return Span.get_extension("score")[2] is score_of


def _can_be_set() -> bool:
    return is_writable_attr(Span.get_extension("score"))
