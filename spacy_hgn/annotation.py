"""Entities and their scores on a Doc: ``doc.ents``, ``doc.spans`` and ``ent._.score``."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span, SpanGroup

from .decoding import Borders, borders_of

logger = logging.getLogger("spacy_hgn")

MARK = {"factory": "hgn_ner"}
"""Tells the groups of this factory's components from others in ``doc.spans``."""


def register_score() -> None:
    """Let every Span have ``._.score``; another extension of that name is left as it is."""
    if not Span.has_extension("score"):
        Span.set_extension("score", getter=score_of)
    elif Span.get_extension("score")[2] is not score_of:
        logger.warning(
            "There is another extension Span._.score: hgn_ner's scores are only in doc.spans."
        )


def score_of(span: Span) -> float | None:
    """The probability that hgn_ner gave to the entity; None if it didn't predict it."""
    for group in span.doc.spans.values():
        if MARK.items() <= group.attrs.items():
            entities = group.attrs["entities"]
            i = int(numpy.searchsorted(entities[:, 0], span.start_char))
            if i < len(entities) and tuple(entities[i].tolist()) == _key(span):
                return float(group.attrs["scores"][i])
    return None


def annotate(doc: Doc, key: str | None, spans: Sequence[Span], scores: Sequence[float]) -> None:
    """Add entities to those on the Doc, and, unless key is None, to ``doc.spans[key]`` with scores.

    What the group had before stays in it as long as it is an entity still.
    """
    scored = [*predicted_entities(doc, key), *zip(spans, scores)]
    scored.sort(key=lambda pair: pair[0].start)
    if len(doc):
        _add_entities(doc, spans)
    if key is not None:
        entities = [span for span, _ in scored]
        attrs = {
            **MARK,
            "scores": numpy.array([score for _, score in scored], dtype="float32"),
            # By characters: retokenizing moves tokens, and a group's spans can't be read then.
            "entities": numpy.array(list(map(_key, entities)), dtype="uint64").reshape(-1, 3),
        }
        doc.spans[key] = SpanGroup(doc, name=key, spans=entities, attrs=attrs)


def predicted_entities(doc: Doc, key: str | None) -> list[tuple[Span, float]]:
    """The Doc's entities that a component has predicted, with their scores."""
    attrs = doc.spans[key].attrs if key in doc.spans else {}
    if not MARK.items() <= attrs.items():
        return []
    entities = {_key(entity): entity for entity in doc.ents}
    pairs = zip(map(tuple, attrs["entities"].tolist()), attrs["scores"].tolist())
    return [(entities[key], score) for key, score in pairs if key in entities]


def borders_before(doc: Doc, key: str | None) -> Borders:
    """The borders of the Doc as they were before a component predicted entities."""
    borders = borders_of(doc)
    free = borders.free.copy()
    for entity, _ in predicted_entities(doc, key):
        free[entity.start : entity.end] = True
    return replace(borders, free=free)


def _add_entities(doc: Doc, spans: Sequence[Span]) -> None:
    """Add entities to those on the Doc, and mark all other tokens as outside."""
    iob, entity_type = doc.to_array([ENT_IOB, ENT_TYPE]).T
    blocked = numpy.flatnonzero((iob == 3) & (entity_type == 0))
    blocked_spans = [doc[i : i + 1] for i in blocked.tolist()]
    doc.set_ents([*doc.ents, *spans], blocked=blocked_spans, default="outside")


def _key(span: Span) -> tuple[int, int, int]:
    return span.start_char, span.end_char, span.label
