"""What a corpus's parts hold, and how they fit together."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc, Span

from .parts import find_parts, read_part, split_sentences
from .schemes import IOB2, OUTSIDE
from .sentences import MISSING, Entity

Tags = tuple[str, ...]
Annotations = dict[tuple[str, ...], dict[Tags, None]]
"""Sentences by their tokens, each with the ways in which it is tagged."""


@dataclass(frozen=True)
class Counts:
    """Of one part.

    unit: what is counted as sentences, "sentences" or, where no file tells them, "texts".
    unannotated: tokens whose annotation is missing. crossing: entities across the start of a
    sentence, which no prediction can be. types: entities per type, most first.
    """

    unit: str
    sentences: int
    tokens: int
    mean_tokens: float
    unannotated: int
    entities: int
    crossing: int
    types: dict[str, int]


@dataclass(frozen=True)
class Lengths:
    """Texts of a part beside what a Hero holds.

    over_long: Docs with more word pieces than the Hero holds at once; it reads them in
    overlapping pieces. tokens_beyond: their tokens that it would miss if it cut them off.
    tokens_cut: tokens with more pieces than it holds, all but the first of which it does miss.
    """

    over_long: int
    tokens_beyond: int
    tokens_cut: int


@dataclass(frozen=True)
class HeroFit:
    """A Hero, the word pieces that it holds at once, and each part's texts beside that."""

    hero: str
    limit: int
    parts: dict[str, Lengths]


@dataclass(frozen=True)
class Conflict:
    """A sentence, and its entities in each of two parts."""

    words: list[str]
    entities: dict[str, list[Entity]]


@dataclass(frozen=True)
class Overlap:
    """What two parts share.

    sentences: different ones that are in both. conflicts: how many of them are annotated
    differently, and examples: some of these.
    """

    parts: tuple[str, str]
    sentences: int
    conflicts: int
    examples: list[Conflict]


@dataclass(frozen=True)
class Gap:
    """Types that one part lacks and another has."""

    part: str
    other: str
    types: list[str]


def count(docs: Sequence[Doc]) -> Counts:
    """Count what Docs hold."""
    n_sentences = sum(len(split_sentences(doc)) for doc in docs)
    n_tokens = sum(map(len, docs))
    types = Counter(entity.label_ for doc in docs for entity in doc.ents)
    return Counts(
        unit="sentences" if all(doc.has_annotation("SENT_START") for doc in docs) else "texts",
        sentences=n_sentences,
        tokens=n_tokens,
        mean_tokens=n_tokens / n_sentences if n_sentences else 0.0,
        unannotated=sum(token.ent_iob == 0 for doc in docs for token in doc),
        entities=types.total(),
        crossing=sum(_crosses_sentences(entity) for doc in docs for entity in doc.ents),
        types=dict(types.most_common()),
    )


def count_parts(folder: Path) -> dict[str, Counts]:
    """Count each part of a folder with converted parts.

    Raises CorpusError if it hasn't got them.
    """
    nlp = spacy.blank("xx")
    return {part: count(read_part(path, nlp).docs) for part, path in find_parts(folder).items()}


def measure(parts: Mapping[str, Iterable[Doc]], hero: str) -> HeroFit:
    """Measure the texts of each part by a Hero, named as in the config.

    Raises ValueError where there is no such Hero.
    """
    from spacy_hgn.layers.hero_files import load_hero, piece_limit  # torch comes with it

    loaded = load_hero(hero, {}, {})
    limit = piece_limit(loaded)
    lengths = {part: count_over_long(docs, loaded.tokenizer, limit) for part, docs in parts.items()}
    return HeroFit(hero, limit, lengths)


def count_over_long(docs: Iterable[Doc], tokenizer: Any, limit: int) -> Lengths:
    """Count what has more word pieces than ``limit``, special ones included."""
    from spacy_hgn.layers.pieces import encode_spans  # torch comes with it

    room = limit - tokenizer.num_special_tokens_to_add()
    spans = [doc[:] for doc in docs if len(doc)]
    wholes = [whole for [whole] in encode_spans(tokenizer, spans, sys.maxsize)] if spans else []
    over_long = [whole for whole in wholes if len(whole.ids) > limit]
    return Lengths(
        over_long=len(over_long),
        tokens_beyond=sum(_count_beyond(whole.token_pieces, room) for whole in over_long),
        tokens_cut=sum(len(pieces) > room for whole in over_long for pieces in whole.token_pieces),
    )


def find_overlaps(parts: Mapping[str, Iterable[Doc]], n_examples: int = 3) -> list[Overlap]:
    """Compare the sentences of each two parts, token by token.

    Tokens without annotation contradict nothing.
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
    """The types that each part lacks of each other one; of parts that have entities."""
    annotated = {part: counted.types for part, counted in counts.items() if counted.entities}
    gaps = [
        Gap(part, other, sorted(set(annotated[other]) - set(annotated[part])))
        for other, part in permutations(annotated, 2)
    ]
    return [gap for gap in gaps if gap.types]


def describe_problems(counts: Mapping[str, Counts]) -> list[str]:
    """In words: parts without sentences or entities, entities across the start of a sentence, and
    types that not all parts have."""
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
        f"{gap.part} lacks types that {gap.other} has: {', '.join(gap.types)}"
        for gap in find_gaps(counts)
    ]
    return empty + bare + crossing + lacking


def _crosses_sentences(entity: Span) -> bool:
    return any(token.is_sent_start for token in entity[1:])


def _count_beyond(token_pieces: Sequence[Sequence[int]], room: int) -> int:
    used = beyond = 0
    for pieces in token_pieces:
        beyond += bool(pieces) and used >= room
        used += len(pieces)
    return beyond


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
            yield MISSING
        else:
            yield f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else OUTSIDE


def _find_conflict(some: Iterable[Tags], others: Iterable[Tags]) -> tuple[Tags, Tags] | None:
    """The first two of the ways to tag a sentence that contradict each other."""
    return next((pair for pair in product(some, others) if _differ(*pair)), None)


def _differ(tags: Tags, others: Tags) -> bool:
    return any(x != y and MISSING not in (x, y) for x, y in zip(tags, others))
