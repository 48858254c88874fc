"""A sentence of a corpus, with its tags or its entities."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from .lines import Line
from .repairs import Repairs, repair_or_raise

MISSING_TAG = "-"
"""The tag of a token without annotation."""

UNREAD = "\n"
"""The placeholder for a tag that can't be read and was already reported."""

TokenSpan = tuple[int, int, str]
"""First token, token after the last, label."""


@dataclass(frozen=True)
class TaggedSentence:
    """A sentence with the tags in its file."""

    words: list[str]
    tags: list[str]
    lines: list[Line]
    starts_document: bool = False


@dataclass(frozen=True)
class Sentence:
    """A sentence and its entities."""

    words: list[str]
    entities: list[TokenSpan]
    """In order, without overlaps."""
    missing: list[int]
    """Tokens without annotation."""
    starts_document: bool = False


class Tag(NamedTuple):
    """What a tag says of its token's entity.

    begins: whether it begins one. Otherwise it continues the one before it, if that is open and has
    the same label. label: None is the label of the one before. goes_on: whether the entity may
    continue after it.
    """

    begins: bool
    label: str | None
    goes_on: bool


class Notation:
    """A notation for entities, with one tag per token.

    Tags are valid if ``write`` turns their entities into the same tags again. expected: the known
    tags, in words.
    """

    name: str
    expected: str

    def knows(self, tag: str) -> bool:
        """Whether it is a tag of this notation."""
        raise NotImplementedError

    def parse(self, tag: str) -> Tag | None:
        """What a tag says; None if its token is outside, and for anything that isn't a tag."""
        raise NotImplementedError

    def write(self, entities: Sequence[TokenSpan], length: int) -> list[str]:
        """The tags for ``length`` tokens, given their entities in order."""
        raise NotImplementedError

    def read(self, tags: Sequence[str]) -> list[TokenSpan]:
        """The entities in tags. One without its beginning begins where it is; one without its end
        ends where it is."""
        entities: list[TokenSpan] = []
        is_open = False
        for i, found in enumerate(map(self.parse, tags)):
            if found is None:
                is_open = False
                continue
            if is_open and not found.begins and found.label in (None, entities[-1][2]):
                entities[-1] = (entities[-1][0], i + 1, entities[-1][2])
            elif found.label is not None:
                entities.append((i, i + 1, found.label))
            is_open = found.goes_on and (is_open or found.label is not None)
        return entities

    def unsure(
        self, entities: Sequence[TokenSpan], tags: Sequence[str], unread: Set[int]
    ) -> set[int]:
        """The tokens of entities to which an adjacent tag that can't be read may belong."""

        def may_continue(start: int, end: int) -> bool:
            first, last = self.parse(tags[start]), self.parse(tags[end - 1])
            before = start - 1 in unread and first is not None and not first.begins
            return before or (end in unread and last is not None and last.goes_on)

        return {
            i for start, end, _ in entities if may_continue(start, end) for i in range(start, end)
        }


def resolve(tagged: TaggedSentence, notation: Notation, repairs: Repairs = None) -> Sentence:
    """Find the entities of a sentence.

    repairs: a list to add repairs to; without one, an invalid tag raises CorpusError.
    """
    tags = _read_tags(tagged, notation, repairs)
    entities = notation.read(tags)
    for i, (tag, valid) in enumerate(zip(tags, write_tags(entities, tags, notation))):
        if tag != valid:
            before = f"after {tags[i - 1]}" if i else "at the beginning"
            after = f"before {tags[i + 1]}" if i + 1 < len(tags) else "at the end"
            problem = f"impossible tag {tag} in {notation.name} {before} and {after}"
            problem += f" (possible: {valid})"
            repair_or_raise(repairs, tagged.lines[i], problem, became=valid, was=tag)
    missing = [i for i, tag in enumerate(tags) if tag == MISSING_TAG]
    return Sentence(tagged.words, entities, missing, tagged.starts_document)


def _read_tags(tagged: TaggedSentence, notation: Notation, repairs: Repairs) -> list[str]:
    """The tags; missing if they, or tags they depend on, can't be read."""
    tags, unread = list(tagged.tags), set()
    for i, tag in enumerate(tagged.tags):
        if tag == UNREAD or (tag != MISSING_TAG and not notation.knows(tag)):
            unread.add(i)
            tags[i] = MISSING_TAG
        if tag != UNREAD and i in unread:
            problem = f"unknown tag {tag!r}, expected {notation.expected}"
            repair_or_raise(repairs, tagged.lines[i], problem, became=MISSING_TAG, was=tag)
    for i in sorted(notation.unsure(notation.read(tags), tags, unread)) if unread else ():
        problem = f"the tag {tags[i]} depends on one that can't be read"
        repair_or_raise(repairs, tagged.lines[i], problem, became=MISSING_TAG, was=tags[i])
        tags[i] = MISSING_TAG
    return tags


def write_tags(entities: Sequence[TokenSpan], tags: Sequence[str], notation: Notation) -> list[str]:
    """The tags of the entities; missing where the given tags are missing."""
    valid = notation.write(entities, len(tags))
    return [MISSING_TAG if tag == MISSING_TAG else valid[i] for i, tag in enumerate(tags)]
