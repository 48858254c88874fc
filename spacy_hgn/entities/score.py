"""What is written on a Doc: entities in ``doc.ents`` and ``doc.spans``, and ``ent._.score``, the
probability of an entity, also on copies and parts of the Doc.

Other components may define a ``Span._.score`` too, before or after this one. Spans that they set
have their value; entities of hgn_ner keep ours.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from weakref import ref

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span
from spacy.tokens.underscore import is_writable_attr

from ..tags.decoding import Entity, SpanConstraints, constraints_of
from ..util.lists import ends_of
from .entity_group import EntityGroup

logger = logging.getLogger("spacy_hgn")

MARK = {"factory": "hgn_ner"}
"""Marks the groups of this factory's components in ``doc.spans``."""

Place = tuple[int, int, str]
"""First character of an entity, character after the last, label."""


def annotate(
    docs: Sequence[Doc],
    key: str | None,
    labels: Sequence[str],
    entities: Sequence[tuple[Entity, float]],
    overlap: bool = False,
) -> None:
    """Add entities to those on Docs, and to ``doc.spans[key]`` with scores unless key is None.

    Earlier entities in the group stay if they are still in ``doc.ents``.

    entities: in order, each with its score; their tokens are counted through all Docs.
    overlap: whether they can overlap entities of others. Those are then in ``doc.spans`` only, and
        earlier entities in the group are dropped.
    """
    ends = ends_of(list(map(len, docs)))
    free = constraints_of(*docs).free
    is_bare = numpy.diff(ends_of(~free)[ends]) == 0
    firsts = [start for (start, _, _), _ in entities]
    bounds = pairwise(numpy.searchsorted(firsts, ends).tolist())
    for doc, first, bare, (low, high) in zip(docs, ends.tolist(), is_bare.tolist(), bounds):
        found = [
            (Span(doc, start - first, end - first, labels[label]), score)
            for (start, end, label), score in entities[low:high]
        ]
        before = [] if bare or overlap else predicted_entities(doc, key)
        fitting = [span for span, _ in found if not overlap or _fits(span, free, first)]
        _add_entities(doc, fitting, bare)
        if key is not None:
            doc.spans[key] = _to_group(doc, key, _sorted([*before, *found]))
            keep_scores(doc, found)


def _fits(span: Span, free: numpy.ndarray, first: int) -> bool:
    """Whether an entity's tokens are free. first: the index of its Doc's first token."""
    return bool(free[first + span.start : first + span.end].all())


def _to_group(doc: Doc, key: str, scored: Sequence[tuple[Span, float]]) -> EntityGroup:
    entities = [span for span, _ in scored]
    attrs = {
        **MARK,
        "scores": numpy.array([score for _, score in scored], dtype="float32"),
        # By characters, because retokenizing moves tokens.
        "entities": numpy.array(list(map(_place, entities)), dtype="uint64").reshape(-1, 3),
    }
    return EntityGroup(doc, name=key, spans=entities, attrs=attrs)


def _sorted(scored: list[tuple[Span, float]]) -> list[tuple[Span, float]]:
    return sorted(scored, key=lambda pair: pair[0].start)


def predicted_entities(doc: Doc, key: str | None) -> list[tuple[Span, float]]:
    """The entities on a Doc that a component has predicted, with their scores."""
    attrs = doc.spans[key].attrs if key in doc.spans else {}
    if not MARK.items() <= attrs.items():
        return []
    entities = {_place(entity): entity for entity in doc.ents}
    pairs = zip(map(tuple, attrs["entities"].tolist()), attrs["scores"].tolist())
    return [(entities[key], score) for key, score in pairs if key in entities]


def constraints_before(doc: Doc, key: str | None) -> SpanConstraints:
    """The constraints of a Doc before a component predicted entities."""
    constraints = constraints_of(doc)
    free = constraints.free.copy()
    for entity, _ in predicted_entities(doc, key):
        free[entity.start : entity.end] = True
    return replace(constraints, free=free)


def constraints_alone(*docs: Doc) -> SpanConstraints:
    """The constraints of Docs ignoring all entities on them; blocked tokens stay blocked."""
    marks = numpy.concatenate([doc.to_array([ENT_IOB, ENT_TYPE]) for doc in docs])
    return replace(constraints_of(*docs), free=~((marks[:, 0] == 3) & (marks[:, 1] == 0)))


def _add_entities(doc: Doc, spans: list[Span], is_bare: bool) -> None:
    """Add entities to those on the Doc, and mark all other tokens as outside.

    is_bare: whether no token is in an entity or blocked.
    """
    if is_bare:
        doc.set_ents(spans, default="outside")
        return
    iob, entity_type = doc.to_array([ENT_IOB, ENT_TYPE]).T
    blocked = numpy.flatnonzero((iob == 3) & (entity_type == 0))
    blocked_spans = [doc[i : i + 1] for i in blocked.tolist()]
    doc.set_ents([*doc.ents, *spans], blocked=blocked_spans, default="outside")


def _place(span: Span) -> tuple[int, int, int]:
    return span.start_char, span.end_char, span.label


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
    if not Span.has_extension("score"):
        register_score()  # in a process that has unpickled the component, but made none
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
    while i < len(entities) and entities[i, 0] == span.start_char:
        if tuple(entities[i].tolist()) == _place(span):
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
