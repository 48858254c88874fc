"""A component's predictions beside the gold: what calibration is fitted to and measured on."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy
from spacy.language import Language
from spacy.training import Example
from spacy.util import minibatch

from ..decoding import Borders, Entity, borders_of, decode
from ..tags import MISSING, gold_tags
from .calibration import fit_temperature, temper
from .posteriors import entity_probabilities

if TYPE_CHECKING:
    from ..hgn_ner import HgnNer

Corpus = Callable[[Language], Iterable[Example]]


@dataclass(frozen=True)
class Judged:
    """A text's predictions. is_right: of each entity; None where the gold annotation is missing."""

    probabilities: numpy.ndarray
    borders: Borders
    tags: numpy.ndarray
    entities: list[Entity]
    is_right: list[bool | None]


def judge(nlp: Language, name: str, corpus: Corpus) -> list[Judged]:
    """Predict a corpus with what comes before the component in the pipeline, and compare."""
    component = cast("HgnNer", nlp.get_pipe(name))
    if name not in nlp.pipe_names:
        raise ValueError(f"Expected {name} to run in the pipeline, got {nlp.pipe_names}.")
    rest = nlp.pipe_names[nlp.pipe_names.index(name) :]
    found = []
    for examples in minibatch(corpus(nlp), nlp.batch_size):
        docs = list(nlp.pipe([example.predicted for example in examples], disable=rest))
        for example, doc, probabilities in zip(examples, docs, component.predict(docs)):
            array = component.model.ops.to_numpy(probabilities)
            borders = borders_of(doc)
            entities = decode(array, borders, component.tag_set, component.decoder)
            tags = gold_tags(example, component.tag_set)
            right = list(_are_right(example, entities, component.labels))
            found.append(Judged(array, borders, tags, entities, right))
    return found


def calibrate(component: "HgnNer", texts: Iterable[Judged]) -> None:
    """Give the component the temperature under which the gold tags are most probable.

    Raises ValueError where there is no gold.
    """
    known = [(text.probabilities, text.tags, text.tags != MISSING) for text in texts]
    component.temperature = fit_temperature(
        numpy.concatenate([p[rows] for p, _, rows in known] or [numpy.empty((0, 1))]),
        numpy.concatenate([tags[rows] for _, tags, rows in known] or [numpy.empty(0)]),
    )


def scores_of(
    component: "HgnNer", texts: Iterable[Judged], temperature: float
) -> tuple[list[float], list[bool]]:
    """The scores of the entities at a temperature, and whether each is right."""
    texts = list(texts)
    scores = entity_probabilities(
        [temper(text.probabilities, temperature) for text in texts],
        [text.borders for text in texts],
        component.tag_set,
        [text.entities for text in texts],
    )
    pairs = [pair for text, found in zip(texts, scores) for pair in zip(found, text.is_right)]
    known = [(score, right) for score, right in pairs if right is not None]
    return [score for score, _ in known], [right for _, right in known]


def _are_right(
    example: Example, entities: Iterable[Entity], labels: tuple[str, ...]
) -> Iterator[bool | None]:
    """As spaCy's scorer judges: the gold has the same entity, on its own tokens."""
    gold = {(ent.start, ent.end, ent.label_) for ent in example.reference.ents}
    for start, end, label in entities:
        aligned = example.alignment.x2y[start:end]
        if len(aligned) == 0:
            yield None
            continue
        first, after = int(aligned[0]), int(aligned[-1]) + 1
        if any(token.ent_iob == 0 for token in example.reference[first:after]):
            yield None
        else:
            yield (first, after, labels[label]) in gold
