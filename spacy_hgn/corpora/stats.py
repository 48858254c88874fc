"""Statistics of a corpus's parts, and how they fit together."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, permutations, product
from pathlib import Path

import spacy
from spacy.tokens import Doc, Span

from .parts import find_parts, iterate_docs, split_sentences
from .schemes import IOB2, OUTSIDE
from .sentences import MISSING_TAG, TokenSpan
from .similar_labels import find_similar

Tags = tuple[str, ...]
Annotations = dict[tuple[str, ...], dict[Tags, None]]
"""Sentences by their tokens, each with all its taggings."""


@dataclass
class Counts:
    """Counts of one part.

    unit: the unit of ``sentences``: "sentences" or, if these aren't known, "texts". unannotated:
    tokens without annotation. crossing: entities across the start of a sentence, which can't be
    predicted. types: entities per type.
    """

    unit: str = "sentences"
    sentences: int = 0
    tokens: int = 0
    mean_tokens: float = 0.0
    unannotated: int = 0
    entities: int = 0
    crossing: int = 0
    types: dict[str, int] = field(default_factory=dict)

    def add(self, doc: Doc) -> None:
        """Count what a Doc has."""
        if not doc.has_annotation("SENT_START"):
            self.unit = "texts"
        self.sentences += len(split_sentences(doc))
        self.tokens += len(doc)
        self.mean_tokens = self.tokens / max(self.sentences, 1)
        self.unannotated += sum(token.ent_iob == 0 for token in doc)
        self.entities += len(doc.ents)
        self.crossing += sum(map(_crosses_sentences, doc.ents))
        for entity in doc.ents:
            self.types[entity.label_] = self.types.get(entity.label_, 0) + 1

    def by_frequency(self) -> dict[str, int]:
        """The entities per type, most frequent first."""
        return dict(sorted(self.types.items(), key=lambda item: -item[1]))


@dataclass(frozen=True)
class Conflict:
    """A sentence that is annotated differently in two parts."""

    words: list[str]
    entities: dict[str, list[TokenSpan]]


@dataclass(frozen=True)
class Overlap:
    """What two parts share.

    sentences: distinct sentences in both. conflicts: how many of them are annotated differently.
    examples: some of these.
    """

    parts: tuple[str, str]
    sentences: int
    conflicts: int
    examples: list[Conflict]


@dataclass(frozen=True)
class Gap:
    """Types that one part lacks and another has.

    meant: for the first part, types that it has and that look like them.
    """

    part: str
    other: str
    types: list[str]
    meant: dict[str, str]

    def describe(self) -> list[str]:
        """The types, with suggestions."""
        return [
            f"{type_} (did you mean {self.meant[type_]}?)" if type_ in self.meant else type_
            for type_ in self.types
        ]


def count(docs: Iterable[Doc]) -> Counts:
    """Count sentences, tokens and entities of Docs, in one pass."""
    counts = Counts()
    for doc in docs:
        counts.add(doc)
    counts.types = counts.by_frequency()
    return counts


def count_parts(folder: Path) -> dict[str, Counts]:
    """Count each part of a folder with ``.spacy`` parts.

    Raises CorpusError if a part is missing.
    """
    nlp = spacy.blank("xx")
    return {part: count(iterate_docs(path, nlp)) for part, path in find_parts(folder).items()}


def find_overlaps(parts: Mapping[str, Iterable[Doc]], n_examples: int = 3) -> list[Overlap]:
    """Compare the sentences of each pair of parts, token by token.

    Tokens without annotation never differ.
    """
    annotations = {part: _collect(docs) for part, docs in parts.items()}
    overlaps = []
    for pair in combinations(parts, 2):
        first, second = (annotations[part] for part in pair)
        shared = [words for words in first if words in second]
        found = [_find_conflict(first[words], second[words]) for words in shared]
        conflicts = [
            Conflict(list(words), {part: IOB2.read(tags) for part, tags in zip(pair, differing)})
            for words, differing in zip(shared, found)
            if differing is not None
        ]
        overlaps.append(Overlap(pair, len(shared), len(conflicts), conflicts[:n_examples]))
    return overlaps


def find_gaps(counts: Mapping[str, Counts]) -> list[Gap]:
    """The types that each part lacks and another has, among parts with entities."""
    annotated = {part: counted.types for part, counted in counts.items() if counted.entities}
    gaps = []
    for other, part in permutations(annotated, 2):
        types = sorted(set(annotated[other]) - set(annotated[part]))
        is_first = part == next(iter(counts))
        known = annotated[part] if is_first else ()
        gaps.append(Gap(part, other, types, find_similar(types, known)))
    return [gap for gap in gaps if gap.types]


def describe_problems(counts: Mapping[str, Counts]) -> list[str]:
    """Messages about parts without sentences or entities, entities across the start of a sentence,
    and types that some parts lack."""
    empty = [f"{part} is empty" for part, counted in counts.items() if not counted.tokens]
    bare = [
        f"{part} has no entities"
        for part, counted in counts.items()
        if counted.tokens and not counted.entities
    ]
    crossing = [
        f"{part} has {counted.crossing:,} entities across the start of a sentence: they can't be "
        "learnt or predicted"
        for part, counted in counts.items()
        if counted.crossing
    ]
    lacking = [
        f"{gap.part} lacks types that {gap.other} has: {', '.join(gap.describe())}"
        for gap in find_gaps(counts)
    ]
    return empty + bare + crossing + lacking


def _crosses_sentences(entity: Span) -> bool:
    return any(token.is_sent_start for token in entity[1:])


def _collect(docs: Iterable[Doc]) -> Annotations:
    annotations: Annotations = {}
    for doc in docs:
        for sentence in split_sentences(doc):
            words = tuple(token.text for token in sentence)
            annotations.setdefault(words, {})[tuple(_tags(sentence))] = None
    return annotations


def _tags(sentence: Span) -> Iterator[str]:
    for token in sentence:
        if token.ent_iob == 0:
            yield MISSING_TAG
        else:
            yield f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else OUTSIDE


def _find_conflict(some: Iterable[Tags], others: Iterable[Tags]) -> tuple[Tags, Tags] | None:
    """The first pair of different taggings of a sentence."""
    return next((pair for pair in product(some, others) if _differ(*pair)), None)


def _differ(tags: Tags, others: Tags) -> bool:
    return any(x != y and MISSING_TAG not in (x, y) for x, y in zip(tags, others))
