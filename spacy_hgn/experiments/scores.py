"""Precision, recall and F1 over whole entities: right are those with the right borders and type."""

from collections.abc import Iterable, Sequence
from typing import Any

from spacy.tokens import Doc

Entity = tuple[int, int, str]
"""First token, the token behind the last, and the type."""

Sentences = Sequence[Sequence[Entity]]

Counts = tuple[int, int, int]
"""Entities that are right, that are predicted in vain, and that are missed."""


def get_gold(doc: Doc) -> list[Entity]:
    """A Doc's entities."""
    return [(entity.start, entity.end, entity.label_) for entity in doc.ents]


def get_predicted(doc: Doc, reference: Doc) -> list[Entity]:
    """A Doc's entities but for those over tokens whose annotation is missing in the reference,
    which has the same tokens."""
    missing = {token.i for token in reference if token.ent_iob == 0}
    return [entity for entity in get_gold(doc) if missing.isdisjoint(range(entity[0], entity[1]))]


def count(gold: Iterable[Entity], predicted: Iterable[Entity]) -> Counts:
    """Count the entities of one sentence."""
    gold, predicted = set(gold), set(predicted)
    return len(gold & predicted), len(predicted - gold), len(gold - predicted)


def score(gold: Sentences, predicted: Sentences) -> dict[str, Any]:
    """Micro precision, recall and F1 in per cent with their counts, and the same by type.

    gold, predicted: entities by sentence.
    """
    by_type = {
        label: _score(
            [_of_type(sentence, label) for sentence in gold],
            [_of_type(sentence, label) for sentence in predicted],
        )
        for label in sorted({e[2] for sentences in (gold, predicted) for s in sentences for e in s})
    }
    return {**_score(gold, predicted), "types": by_type}


def f1(right: int, in_vain: int, missed: int) -> float:
    """F1 in per cent; 0 where there's nothing right."""
    return 200 * right / (2 * right + in_vain + missed) if right else 0.0


def _score(gold: Sentences, predicted: Sentences) -> dict[str, Any]:
    counts = [count(g, p) for g, p in zip(gold, predicted, strict=True)]
    right, in_vain, missed = (sum(column) for column in zip(*counts)) if counts else (0, 0, 0)
    return {
        "p": round(100 * right / (right + in_vain), 3) if right else 0.0,
        "r": round(100 * right / (right + missed), 3) if right else 0.0,
        "f": round(f1(right, in_vain, missed), 3),
        "right": right,
        "in_vain": in_vain,
        "missed": missed,
    }


def _of_type(sentence: Sequence[Entity], label: str) -> list[Entity]:
    return [entity for entity in sentence if entity[2] == label]
