"""Entities and their scores on a Doc: ``doc.ents``, ``doc.spans`` and ``ent._.score``."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span

from ..tags.decoding import Borders, Entity, borders_of
from ..util.lists import ends_of
from .entity_group import EntityGroup
from .score import MARK, keep_scores


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
    free = borders_of(*docs).free
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
        "entities": numpy.array(list(map(_key, entities)), dtype="uint64").reshape(-1, 3),
    }
    return EntityGroup(doc, name=key, spans=entities, attrs=attrs)


def _sorted(scored: list[tuple[Span, float]]) -> list[tuple[Span, float]]:
    return sorted(scored, key=lambda pair: pair[0].start)


def predicted_entities(doc: Doc, key: str | None) -> list[tuple[Span, float]]:
    """The entities on a Doc that a component has predicted, with their scores."""
    attrs = doc.spans[key].attrs if key in doc.spans else {}
    if not MARK.items() <= attrs.items():
        return []
    entities = {_key(entity): entity for entity in doc.ents}
    pairs = zip(map(tuple, attrs["entities"].tolist()), attrs["scores"].tolist())
    return [(entities[key], score) for key, score in pairs if key in entities]


def borders_before(doc: Doc, key: str | None) -> Borders:
    """The borders of a Doc before a component predicted entities."""
    borders = borders_of(doc)
    free = borders.free.copy()
    for entity, _ in predicted_entities(doc, key):
        free[entity.start : entity.end] = True
    return replace(borders, free=free)


def borders_alone(*docs: Doc) -> Borders:
    """The borders of Docs ignoring all entities on them; blocked tokens stay blocked."""
    marks = numpy.concatenate([doc.to_array([ENT_IOB, ENT_TYPE]) for doc in docs])
    return replace(borders_of(*docs), free=~((marks[:, 0] == 3) & (marks[:, 1] == 0)))


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


def _key(span: Span) -> tuple[int, int, int]:
    return span.start_char, span.end_char, span.label
