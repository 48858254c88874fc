"""Sentences with what was annotated beside what was predicted, and how each entity came out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_hgn.corpora.parts import split_sentences
from spacy_hgn.entities.score import score_of

RIGHT, NOT_ANNOTATED = "right", "not annotated"
WRONG_TYPE, WRONG_BOUNDARIES, SPURIOUS, MISSED = (
    "wrong type",
    "wrong boundaries",
    "spurious",
    "missed",
)
ERRORS = (WRONG_TYPE, WRONG_BOUNDARIES, SPURIOUS, MISSED)


class Entity(NamedTuple):
    """Characters of a sentence from start up to end, and the entity's type."""

    start: int
    end: int
    label: str


class ComparedEntity(NamedTuple):
    """An entity, how it came out, and its score; None where there is none, as in the annotation."""

    entity: Entity
    outcome: str
    score: float | None


class Sentence(NamedTuple):
    """A sentence's text, and its entities by annotation and by prediction, in their order.

    has_spaces: whether the corpus says where the text has spaces; else they are between all tokens.
    """

    text: str
    gold: list[ComparedEntity]
    predicted: list[ComparedEntity]
    has_spaces: bool = True

    @property
    def errors(self) -> list[str]:
        """One for each entity that came out wrong: of the annotation, those that were missed."""
        return [each for each in self.outcomes if each in ERRORS]

    @property
    def outcomes(self) -> list[str]:
        """One for each predicted entity, and one for each that was missed."""
        missed = [each.outcome for each in self.gold if each.outcome == MISSED]
        return [each.outcome for each in self.predicted] + missed


def compare_sentences(examples: Iterable[Example]) -> Iterator[Sentence]:
    """The sentences of Docs whose prediction is there; whole texts where none are known."""
    for example in examples:
        for span in split_sentences(example.reference):
            yield compare(span, example.predicted)


def compare(gold: Span, doc: Doc) -> Sentence:
    """Compare a sentence's annotation with the entities of a Doc that has the same text.

    As spaCy scores: boundaries and type must be the same, and what isn't annotated isn't counted.
    """
    annotated = [_place(ent, gold) for ent in gold.ents]
    found = {
        _place(ent, gold): ent
        for ent in doc.ents
        if gold.start_char <= ent.start_char < gold.end_char
    }
    predicted = []
    for place, ent in found.items():
        below = gold.doc.char_span(ent.start_char, ent.end_char, alignment_mode="expand")
        is_known = all(token.ent_iob for token in below)
        outcome = find_outcome(place, annotated, SPURIOUS) if is_known else NOT_ANNOTATED
        predicted.append(ComparedEntity(place, outcome, score_of(ent)))
    return Sentence(
        gold.text,
        [
            ComparedEntity(place, find_outcome(place, list(found), MISSED), None)
            for place in annotated
        ],
        predicted,
        has_spaces=not gold.doc.has_unknown_spaces,
    )


def find_outcome(entity: Entity, others: Sequence[Entity], alone: str) -> str:
    """How an entity comes out beside those of the other side; ``alone`` if it overlaps none."""
    if entity in others:
        return RIGHT
    near = [each for each in others if each.start < entity.end and entity.start < each.end]
    if not near:
        return alone
    is_same = any(each[:2] == entity[:2] for each in near)
    return WRONG_TYPE if is_same else WRONG_BOUNDARIES


def choose(sentences: Sequence[Sentence], number: int) -> list[Sentence]:
    """So many sentences, in which each kind of error has about the share that it has in all.

    Every k-th one is taken, of all in the order of their errors.
    """
    by_errors = sorted(range(len(sentences)), key=lambda i: (sorted(sentences[i].errors), i))
    number = min(number, len(sentences))
    chosen = [by_errors[(2 * i + 1) * len(sentences) // (2 * number)] for i in range(number)]
    return [sentences[i] for i in sorted(chosen)]


def _place(ent: Span, sentence: Span) -> Entity:
    first = sentence.start_char
    return Entity(ent.start_char - first, ent.end_char - first, ent.label_)
