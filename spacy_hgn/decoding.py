"""From tag probabilities to entities that the tag scheme and the text allow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from spacy.attrs import ENT_IOB, SENT_START
from spacy.tokens import Doc

from .tags import TagSet

DECODERS = ("viterbi", "argmax")

Entity = tuple[int, int, int]
"""First token, token after the last, index of the label."""


@dataclass(frozen=True)
class Borders:
    """Where in a text entities may be. *Shape of each:* (tokens,), boolean."""

    free: numpy.ndarray
    """The token may be in an entity: it isn't in one already, and it isn't blocked."""
    solid: numpy.ndarray
    """An entity may begin or end at the token: it isn't white space."""
    joined: numpy.ndarray
    """The token may be in one entity with the one before it: no sentence starts here."""


def borders_of(doc: Doc) -> Borders:
    """Read off the Doc where ``ner`` would allow entities too."""
    iob, sent_start = doc.to_array([ENT_IOB, SENT_START]).astype("int64").T
    return Borders(
        free=(iob != 1) & (iob != 3),
        solid=numpy.array([not token.is_space for token in doc], dtype=bool),
        joined=sent_start != 1,
    )


def decode(
    probabilities: numpy.ndarray, borders: Borders, tag_set: TagSet, decoder: str
) -> list[Entity]:
    """Entities of one text, in order.

    probabilities: *Shape:* (tokens, tags). decoder: "viterbi", the most probable sequence
    of tags that the scheme and the borders allow; or "argmax", each token's most probable
    tag, where an inside without a beginning begins an entity, as conlleval reads it.
    """
    if len(probabilities) == 0:
        return []
    if decoder == "argmax":
        tags = numpy.where(borders.free, probabilities.argmax(axis=1), 0)
        return _trim(read_tags(tags, borders, tag_set), borders)
    tags = numpy.where(allowed_tags(borders, tag_set), probabilities, -1).argmax(axis=1)
    if not is_valid(tags, borders, tag_set):
        tags = viterbi(probabilities, borders, tag_set)
    return read_tags(tags, borders, tag_set)


def allowed_tags(borders: Borders, tag_set: TagSet) -> numpy.ndarray:
    """Which tags each token may have by itself. *Shape:* (tokens, tags)"""
    may_begin = borders.free & borders.solid
    allowed = numpy.ones((len(borders.free), len(tag_set)), dtype=bool)
    allowed[:, tag_set.begins] = may_begin[:, None]
    allowed[:, tag_set.continues] = may_go_on(borders)[:, None]
    return allowed


def may_go_on(borders: Borders) -> numpy.ndarray:
    """Whether one entity may have the token and the one before it. *Shape:* (tokens,)"""
    free_before = numpy.concatenate([[False], borders.free[:-1]])
    return borders.free & borders.joined & free_before


def is_valid(tags: numpy.ndarray, borders: Borders, tag_set: TagSet) -> bool:
    """Whether tags that ``allowed_tags`` lets stand may also follow each other."""
    in_entity = tag_set.label_of[tags] >= 0
    goes_on = numpy.concatenate([tag_set.continues[tags[1:]], [False]])
    return bool(
        not tag_set.continues[tags[0]]
        and not tag_set.stays_open[tags[-1]]
        and tag_set.can_follow[tags[:-1], tags[1:]].all()
        and (borders.solid | ~in_entity | goes_on).all()
    )


def viterbi(probabilities: numpy.ndarray, borders: Borders, tag_set: TagSet) -> numpy.ndarray:
    """The most probable tags that scheme and borders allow. *Shape:* (tokens,)

    An entity in whose midst there is white space must go on after it, so that it ends in a
    solid token.
    """
    length, n_tags = probabilities.shape
    allowed = allowed_tags(borders, tag_set)
    floor = numpy.finfo("float32").tiny  # a tag that underflowed is improbable, not forbidden
    logs = numpy.log(numpy.maximum(probabilities, floor, dtype="float64"))
    scores = numpy.where(allowed, logs, -numpy.inf)
    in_entity = tag_set.label_of >= 0
    must_go_on = ~in_entity[:, None] | tag_set.continues[None, :]
    follow = numpy.where(tag_set.can_follow, 0.0, -numpy.inf)
    follow_blank = numpy.where(tag_set.can_follow & must_go_on, 0.0, -numpy.inf)
    scores[0, tag_set.continues] = -numpy.inf
    scores[-1, tag_set.stays_open] = -numpy.inf
    if not borders.solid[-1]:
        scores[-1, in_entity] = -numpy.inf
    best = scores[0]
    back = numpy.zeros((length, n_tags), dtype="int64")
    for i in range(1, length):
        reach = best[:, None] + (follow if borders.solid[i - 1] else follow_blank)
        back[i] = reach.argmax(axis=0)
        best = reach[back[i], numpy.arange(n_tags)] + scores[i]
    tags = numpy.empty(length, dtype="int64")
    tags[-1] = best.argmax()
    for i in range(length - 1, 0, -1):
        tags[i - 1] = back[i, tags[i]]
    return tags


def read_tags(tags: numpy.ndarray, borders: Borders, tag_set: TagSet) -> list[Entity]:
    """The entities that a sequence of tags names.

    A tag that continues an entity of another type or sentence, or none, begins one.
    """
    labels = tag_set.label_of[tags]
    goes_on = numpy.zeros(len(tags) + 1, dtype=bool)
    goes_on[1:-1] = tag_set.can_follow[tags[:-1], tags[1:]] & tag_set.continues[tags[1:]]
    goes_on[1:-1] &= borders.joined[1:]
    starts = numpy.flatnonzero((labels >= 0) & ~goes_on[:-1])
    stops = numpy.flatnonzero(~goes_on[1:]) + 1
    ends = stops[numpy.searchsorted(stops, starts, side="right")]
    return list(zip(starts.tolist(), ends.tolist(), labels[starts].tolist()))


def _trim(entities: Sequence[Entity], borders: Borders) -> list[Entity]:
    """Take white space off the ends of entities; drop those that are nothing else."""
    trimmed = []
    for start, end, label in entities:
        solid = numpy.flatnonzero(borders.solid[start:end])
        if len(solid):
            trimmed.append((start + int(solid[0]), start + int(solid[-1]) + 1, label))
    return trimmed
