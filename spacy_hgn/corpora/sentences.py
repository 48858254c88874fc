"""A sentence of a corpus, with its tags or its entities."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Protocol

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


class Notation(Protocol):
    """A notation for entities, with one tag per token.

    ``read`` accepts all tags that it knows. Tags are valid if ``write`` turns the entities into
    the same tags again.
    """

    @property
    def name(self) -> str: ...

    @property
    def expected(self) -> str:
        """The known tags, in words."""

    def knows(self, tag: str) -> bool: ...

    def read(self, tags: Sequence[str]) -> list[TokenSpan]: ...

    def write(self, entities: Sequence[TokenSpan], length: int) -> list[str]: ...

    def unsure(
        self, entities: Sequence[TokenSpan], tags: Sequence[str], unread: Set[int]
    ) -> set[int]:
        """Tokens whose tags are uncertain because an adjacent tag can't be read."""


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
