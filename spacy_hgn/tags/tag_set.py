"""Tags of entity types: the schemes, their rules, and gold tags of Examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy
from spacy.tokens import Span
from spacy.training import Example

SCHEMES = {"bio": "BI", "biluo": "BILU"}
"""The prefixes of each tag scheme, without O."""

MISSING = -1
"""The index of a missing gold tag."""


@dataclass(frozen=True)
class TagSet:
    """The tags of entity types in a scheme: O first, then each type with all prefixes.

    scheme: "bio" (IOB2) or "biluo". labels: the entity types, in the order of their tags.
    Raises ValueError for an unknown scheme.
    """

    scheme: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(
                f"Unknown tag_scheme: expected one of {', '.join(SCHEMES)}, got {self.scheme!r}."
            )

    @property
    def prefixes(self) -> str:
        """The scheme's prefixes in the order of the tags."""
        return SCHEMES[self.scheme]

    @cached_property
    def tags(self) -> list[str]:
        """The names of all tags: ``["O", "B-PERSON", "I-PERSON", ...]``."""
        return ["O", *(f"{p}-{label}" for label in self.labels for p in self.prefixes)]

    def __len__(self) -> int:
        return 1 + len(self.labels) * len(self.prefixes)

    @cached_property
    def label_of(self) -> numpy.ndarray:
        """The index of each tag's label; -1 for O. *Shape:* (tags,)"""
        return numpy.repeat(numpy.arange(len(self.labels) + 1) - 1, self._repeats)

    @cached_property
    def begins(self) -> numpy.ndarray:
        """Tags that begin an entity: B, U. *Shape:* (tags,)"""
        return self._has_prefix("BU")

    @cached_property
    def continues(self) -> numpy.ndarray:
        """Tags that continue an entity: I, L. *Shape:* (tags,)"""
        return self._has_prefix("IL")

    @cached_property
    def stays_open(self) -> numpy.ndarray:
        """Tags after which the entity must continue: biluo's B and I. *Shape:* (tags,)"""
        return self._has_prefix("BI" if self.scheme == "biluo" else "")

    @cached_property
    def closed(self) -> numpy.ndarray:
        """Tags after which no entity can continue: O, and biluo's L and U. *Shape:* (tags,)"""
        return ~(self.begins | self.continues) | self._has_prefix("LU")

    def can_follow(self, before: numpy.ndarray, after: numpy.ndarray) -> numpy.ndarray:
        """Whether the tags ``after`` can follow the tags ``before``.

        *Shapes:* any two that broadcast; the result has the broadcast shape.
        """
        may_go_on = (self.label_of[before] == self.label_of[after]) & ~self.closed[before]
        return numpy.where(self.continues[after], may_go_on, ~self.stays_open[before])

    @cached_property
    def continued(self) -> numpy.ndarray:
        """For each tag that continues an entity, the two tags that it can follow: B and I.

        *Shape:* (continuing tags, 2)
        """
        followed = numpy.flatnonzero((self.label_of >= 0) & ~self.closed).reshape(-1, 2)
        return followed[self.label_of[self.continues]]

    def from_biluo(self, tags: Sequence[str | None]) -> numpy.ndarray:
        """Indices of BILUO tags from spaCy's Examples. *Shape:* (len(tags),)

        None and unknown types become ``MISSING``.
        """
        return numpy.array([self._index_of_biluo.get(tag, MISSING) for tag in tags], dtype="int64")

    @cached_property
    def _index_of_biluo(self) -> dict[str | None, int]:
        as_prefix = {p: p for p in "BILU"} if self.scheme == "biluo" else dict(zip("BILU", "BIIB"))
        index = {tag: i for i, tag in enumerate(self.tags)}
        biluo = {f"{p}-{label}": f"{as_prefix[p]}-{label}" for label in self.labels for p in "BILU"}
        return {"O": 0, **{tag: index[own] for tag, own in biluo.items()}}

    @property
    def _repeats(self) -> list[int]:
        return [1] + [len(self.prefixes)] * len(self.labels)

    def _has_prefix(self, prefixes: str) -> numpy.ndarray:
        per_label = [p in prefixes for p in self.prefixes]
        return numpy.array([False, *per_label * len(self.labels)])


def check_label(label: str) -> str:
    """Return the label, or raise ValueError if tags can't represent it."""
    if not isinstance(label, str):
        raise ValueError(f"Expected a string as label, got {label!r}.")
    if not label or label != label.strip() or not label.isprintable():
        raise ValueError(
            f"Tags can't carry the label {label!r}: expected at least one character, no white "
            "space at its ends, and no line breaks, tabs or other control characters."
        )
    return label


def gold_tags(example: Example, tag_set: TagSet) -> numpy.ndarray:
    """The gold tag of each token of the predicted Doc. *Shape:* (tokens,)

    ``MISSING`` for tokens without annotation, and for entities that don't match the tokens or can't
    be predicted.
    """
    entities, aligned = example.get_aligned_ents_and_ner()
    tags: list[str | None] = list(aligned)
    for entity in entities:
        if why_impossible(entity) is not None:
            tags[entity.start : entity.end] = [None] * len(entity)
    return tag_set.from_biluo(tags)


def why_impossible(entity: Span) -> str | None:
    """Why an entity can't be predicted; None if it can. entity: on the predicted Doc."""
    first, *others = entity
    if first.is_space or entity[-1].is_space:
        return "begins or ends in white space"
    if any(token.is_sent_start for token in others):
        return "crosses the start of a sentence"
    return None
