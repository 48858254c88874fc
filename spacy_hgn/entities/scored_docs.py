"""A component's predictions beside the gold: what calibration is fitted to and measured on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch

from ..tags.decoding import Entity, SpanConstraints, constraints_of, decode
from ..tags.tag_set import TagSet, gold_tags
from ..util.lists import ends_of
from .calibration import (
    expected_calibration_error,
    fit_temperature,
    reason_to_keep,
    reliability,
)
from .posteriors import entity_probabilities, temper

Corpus = Callable[[Language], Iterable[Example]]


class Tagger(Protocol):
    """What is calibrated: a component ``hgn_ner``."""

    tag_set: TagSet
    decoder: str
    temperature: float

    def predict(self, docs: Iterable[Doc]) -> list[numpy.ndarray]:
        """Tag probabilities, one array a Doc of *shape* (tokens, tags)."""


@dataclass(frozen=True)
class ScoredDocs:
    """The predictions of some texts, one behind the other.

    is_right: of each entity; None where the gold annotation is missing. has_gold: whether the gold
    has entities.
    """

    probabilities: numpy.ndarray
    constraints: SpanConstraints
    entities: list[Entity]
    is_right: list[bool | None]
    has_gold: bool


def score_docs(nlp: Language, name: str, corpus: Corpus) -> list[ScoredDocs]:
    """Predict a corpus with what comes before the component in the pipeline, and compare."""
    if name not in nlp.pipe_names:
        raise ValueError(f"Expected {name} to run in the pipeline, got {nlp.pipe_names}.")
    component = cast(Tagger, nlp.get_pipe(name))
    rest = nlp.pipe_names[nlp.pipe_names.index(name) :]
    found = []
    for examples in minibatch(corpus(nlp), nlp.batch_size):
        docs = list(nlp.pipe([example.predicted for example in examples], disable=rest))
        probabilities = numpy.concatenate(component.predict(docs))
        constraints = constraints_of(*docs)
        entities = decode(probabilities, constraints, component.tag_set, component.decoder)
        right = list(_are_right(examples, entities, component.tag_set.labels))
        # 0 is O, and MISSING is below.
        has_gold = any((gold_tags(example, component.tag_set) > 0).any() for example in examples)
        found.append(ScoredDocs(probabilities, constraints, entities, right, has_gold))
    return found


def calibrate(component: Tagger, texts: Sequence[ScoredDocs]) -> str | None:
    """Give the component the temperature at which its scores fit the share of right entities best.

    Where that would be worse than none, the temperature is 1, and the reason is returned.
    Raises ValueError where there are no gold entities.
    """
    if not any(text.has_gold for text in texts):
        raise ValueError("Expected gold entities to calibrate by, got none.")

    def scores_at(temperature: float) -> list[float]:
        return scores_of(component, texts, temperature)[0]

    at_1, is_right = scores_of(component, texts, 1.0)
    temperature = fit_temperature(scores_at, is_right)
    reason = reason_to_keep(
        temperature,
        len(at_1),
        expected_calibration_error(reliability(scores_at(temperature), is_right)),
        expected_calibration_error(reliability(at_1, is_right)),
    )
    component.temperature = temperature if reason is None else 1.0
    return reason


def scores_of(
    component: Tagger, texts: Iterable[ScoredDocs], temperature: float
) -> tuple[list[float], list[bool]]:
    """The scores of the entities at a temperature, and whether each is right."""
    scores, is_right = [], []
    for each in texts:
        tempered = temper(each.probabilities, temperature)
        found = entity_probabilities(tempered, each.constraints, component.tag_set, each.entities)
        for score, right in zip(found, each.is_right):
            if right is not None:
                scores.append(score)
                is_right.append(right)
    return scores, is_right


def _are_right(
    examples: Sequence[Example], entities: Iterable[Entity], labels: tuple[str, ...]
) -> Iterator[bool | None]:
    """As spaCy's scorer counts: the gold has the same entity, on its own tokens."""
    ends = ends_of([len(example.predicted) for example in examples])
    for start, end, label in entities:
        number = int(numpy.searchsorted(ends, start, "right")) - 1
        first = int(ends[number])
        yield _is_right(examples[number], start - first, end - first, labels[label])


def _is_right(example: Example, start: int, end: int, label: str) -> bool | None:
    aligned = example.alignment.x2y[start:end]
    if len(aligned) == 0:
        return None
    first, after = int(aligned[0]), int(aligned[-1]) + 1
    if any(token.ent_iob == 0 for token in example.reference[first:after]):
        return None
    gold = example.reference.ents
    return any((ent.start, ent.end, ent.label_) == (first, after, label) for ent in gold)
