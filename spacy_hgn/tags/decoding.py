"""Decode tag probabilities into entities that the tag scheme and the Doc allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy
from spacy.attrs import ENT_IOB, IS_SPACE, SENT_START
from spacy.tokens import Doc

from ..util.lists import ends_of
from .tag_set import TagSet

DECODERS = ("viterbi", "argmax")

Entity = tuple[int, int, int]
"""First token, token after the last, index of the label."""


@dataclass(frozen=True)
class SpanConstraints:
    """Where entities are possible, in concatenated texts. *Shape of each:* (tokens,), boolean."""

    free: numpy.ndarray
    """The token can be in an entity: it isn't in one already, and it isn't blocked."""
    solid: numpy.ndarray
    """An entity can begin or end at the token: it isn't white space."""
    joined: numpy.ndarray
    """The token can be in one entity with the previous one: no text or sentence starts here."""


def constraints_of(*docs: Doc) -> SpanConstraints:
    """The places in Docs where ``ner`` would allow entities too."""
    attributes = numpy.concatenate([doc.to_array([ENT_IOB, SENT_START, IS_SPACE]) for doc in docs])
    iob, sent_start, is_space = attributes.astype("int64").T
    joined = sent_start != 1
    firsts = ends_of(list(map(len, docs)))[:-1]
    joined[firsts[firsts < len(joined)]] = False
    return SpanConstraints(free=(iob != 1) & (iob != 3), solid=is_space == 0, joined=joined)


def decode(
    probabilities: numpy.ndarray, constraints: SpanConstraints, tag_set: TagSet, decoder: str
) -> list[Entity]:
    """The entities of texts, in order.

    probabilities: *Shape:* (tokens, tags). decoder: "viterbi" is the most probable sequence of
    tags that scheme and constraints allow. "argmax" is each token's most probable tag; as in
    conlleval, an I without a B begins an entity.
    """
    if decoder == "argmax":
        tags = numpy.where(constraints.free, probabilities.argmax(axis=1), 0)
        return _trim(read_tags(tags, constraints, tag_set), constraints)
    tags = numpy.where(allowed_tags(constraints, tag_set), probabilities, -1).argmax(axis=1)
    wrong = misfits(tags, constraints, tag_set)
    if wrong.any():
        parts = parts_with(wrong, constraints)
        tags[parts] = viterbi(probabilities[parts], take_parts(constraints, parts), tag_set)
    return read_tags(tags, constraints, tag_set)


def allowed_tags(constraints: SpanConstraints, tag_set: TagSet) -> numpy.ndarray:
    """The tags that each token can have by itself. *Shape:* (tokens, tags)"""
    may_begin = constraints.free & constraints.solid
    allowed = numpy.ones((len(constraints.free), len(tag_set)), dtype=bool)
    allowed[:, tag_set.begins] = may_begin[:, None]
    allowed[:, tag_set.continues] = may_go_on(constraints)[:, None]
    return allowed


def may_go_on(constraints: SpanConstraints) -> numpy.ndarray:
    """Whether one entity can have the token and the previous one. *Shape:* (tokens,)"""
    free_before = numpy.concatenate([[False], constraints.free[:-1]])
    return constraints.free & constraints.joined & free_before


def misfits(tags: numpy.ndarray, constraints: SpanConstraints, tag_set: TagSet) -> numpy.ndarray:
    """Tokens whose tags are invalid before the next tag, or end an entity with white space. Each
    tag by itself is in ``allowed_tags``. *Shape:* (tokens,), boolean"""
    goes_on = numpy.zeros(len(tags), dtype=bool)
    goes_on[:-1] = tag_set.continues[tags[1:]]
    fits = ~tag_set.stays_open[tags]
    fits[:-1] = tag_set.can_follow(tags[:-1], tags[1:])
    return ~(fits & (constraints.solid | (tag_set.label_of[tags] < 0) | goes_on))


def parts_with(tokens: numpy.ndarray | list[int], constraints: SpanConstraints) -> numpy.ndarray:
    """The tokens in all parts of texts that have any of the given tokens.

    No entity crosses the ends of a part, so the other parts don't matter.
    tokens: indices or a mask. Returns: *Shape:* (tokens,), boolean
    """
    part = numpy.cumsum(~may_go_on(constraints)) - 1
    is_wanted = numpy.zeros(part[-1] + 1, dtype=bool)
    is_wanted[part[tokens]] = True
    return is_wanted[part]


def take_parts(constraints: SpanConstraints, parts: numpy.ndarray) -> SpanConstraints:
    """The constraints of some parts, concatenated."""
    return SpanConstraints(
        constraints.free[parts], constraints.solid[parts], may_go_on(constraints)[parts]
    )


class Steps:
    """The order of tokens for computing along many parts of texts at once: all first tokens, all
    second tokens ...

    Longer parts come first, so that at each step the active parts come first.
    """

    def __init__(self, is_first: numpy.ndarray) -> None:
        """is_first: whether a part begins at the token. *Shape:* (tokens,)"""
        starts = numpy.flatnonzero(is_first)
        part = numpy.cumsum(is_first) - 1
        lengths = numpy.bincount(part)
        place = numpy.arange(len(part)) - starts[part]
        self.order = numpy.lexsort((-lengths[part], place))
        bounds = numpy.cumsum([0, *numpy.bincount(place)]).tolist()
        self.rows = [slice(*pair) for pair in pairwise(bounds)]


def viterbi(
    probabilities: numpy.ndarray, constraints: SpanConstraints, tag_set: TagSet
) -> numpy.ndarray:
    """The most probable tags that scheme and constraints allow. *Shape:* (tokens,)

    An entity with white space inside must continue after it, so that it ends with a solid token.
    All parts of texts that no entity crosses are computed at once.
    """
    is_first = ~may_go_on(constraints)
    is_last = numpy.append(is_first[1:], True)
    steps = Steps(is_first)
    scores = _log_scores(probabilities, constraints, tag_set, is_last)[steps.order]
    is_blank = ~constraints.solid[steps.order]
    back = numpy.zeros(scores.shape, dtype="int64")
    for before, step in pairwise(steps.rows):
        going = slice(before.start, before.start + step.stop - step.start)
        back[step], reach = _best_before(scores[going], is_blank[going], tag_set)
        scores[step] += reach
    tags = scores.argmax(axis=1)  # for a part's last token; the others follow from the next one
    for before, step in reversed(list(pairwise(steps.rows))):
        going = slice(before.start, before.start + step.stop - step.start)
        tags[going] = numpy.take_along_axis(back[step], tags[step, None], axis=1)[:, 0]
    in_text = numpy.empty_like(tags)
    in_text[steps.order] = tags
    return in_text


def _best_before(
    scores: numpy.ndarray, is_blank: numpy.ndarray, tag_set: TagSet
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """For each tag, the best previous tag and its score.

    A tag that continues an entity only follows tags of its label. All other tags can follow the
    same tags; after white space, only those outside entities.

    scores: of the previous tags. *Shape of it and of both results:* (tokens, tags).
    is_blank: whether the previous token is white space. *Shape:* (tokens,)
    """
    rows = numpy.arange(len(scores))
    may_end = numpy.where(tag_set.stays_open, -numpy.inf, scores)
    may_end[is_blank[:, None] & (tag_set.label_of >= 0)] = -numpy.inf
    last = may_end.argmax(axis=1)
    best = numpy.repeat(last[:, None], len(tag_set), axis=1)
    reach = numpy.repeat(may_end[rows, last][:, None], len(tag_set), axis=1)
    opened, other = tag_set.continued.T
    is_other = scores[:, other] > scores[:, opened]
    best[:, tag_set.continues] = numpy.where(is_other, other, opened)
    reach[:, tag_set.continues] = numpy.maximum(scores[:, other], scores[:, opened])
    return best, reach


def _log_scores(
    probabilities: numpy.ndarray,
    constraints: SpanConstraints,
    tag_set: TagSet,
    is_last: numpy.ndarray,
) -> numpy.ndarray:
    """Logarithms of probabilities, or -inf for impossible tags. *Shape:* (tokens, tags)

    is_last: whether no entity continues after the token. *Shape:* (tokens,)
    """
    floor = numpy.finfo("float32").tiny  # a tag that underflowed is improbable, not forbidden
    logs = numpy.log(numpy.maximum(probabilities, floor, dtype="float64"))
    forbidden = ~allowed_tags(constraints, tag_set)
    forbidden |= is_last[:, None] & tag_set.stays_open
    forbidden |= (is_last & ~constraints.solid)[:, None] & (tag_set.label_of >= 0)
    logs[forbidden] = -numpy.inf
    return logs


def read_tags(tags: numpy.ndarray, constraints: SpanConstraints, tag_set: TagSet) -> list[Entity]:
    """The entities in a sequence of tags.

    A tag that can't continue the entity before it, because of its type or sentence, begins one.
    """
    labels = tag_set.label_of[tags]
    goes_on = numpy.zeros(len(tags) + 1, dtype=bool)
    goes_on[1:-1] = tag_set.can_follow(tags[:-1], tags[1:]) & tag_set.continues[tags[1:]]
    goes_on[1:-1] &= constraints.joined[1:]
    starts = numpy.flatnonzero((labels >= 0) & ~goes_on[:-1])
    stops = numpy.flatnonzero(~goes_on[1:]) + 1
    ends = stops[numpy.searchsorted(stops, starts, side="right")]
    return list(zip(starts.tolist(), ends.tolist(), labels[starts].tolist()))


def _trim(entities: Sequence[Entity], constraints: SpanConstraints) -> list[Entity]:
    """Trim white space at the ends of entities; drop those that are only white space."""
    if constraints.solid.all():
        return list(entities)
    trimmed = []
    for start, end, label in entities:
        solid = numpy.flatnonzero(constraints.solid[start:end])
        if len(solid):
            trimmed.append((start + int(solid[0]), start + int(solid[-1]) + 1, label))
    return trimmed
