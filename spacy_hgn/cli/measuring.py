"""Measure a pipeline's speed and entities by precision and batch size."""

import os
import platform
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy
import torch
from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from thinc.api import Model, get_torch_default_device
from typer import progressbar

from ..backend.torch_shim import predicting_in
from ..util.environment import describe_software, device_name, processor

RESAMPLES = 1000

Entities = list[tuple[int, int, str]]
"""The entities of a text: first character, character after the last, type."""


@dataclass(frozen=True)
class Candidate:
    """A precision and a batch size to measure."""

    precision: str
    batch_size: int


@dataclass(frozen=True)
class Measurement:
    """The measurements of a candidate. Words are tokens.

    words: per batch. *Shape:* (batches,). seconds: *Shape:* (rounds, batches).
    entities: of each text. scores: micro-averaged P, R and F1 under spaCy's names; empty
    without gold.
    """

    candidate: Candidate
    words: numpy.ndarray
    seconds: numpy.ndarray
    entities: list[Entities]
    scores: dict[str, float]

    @property
    def by_round(self) -> numpy.ndarray:
        """Words a second. *Shape:* (rounds,)"""
        return self.words.sum() / self.seconds.sum(axis=1)

    @property
    def speed(self) -> float:
        """Words a second, the median of the rounds."""
        return float(numpy.median(self.by_round))

    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the speed, by a bootstrap over the rounds and their batches.

        None for a single batch in a single round.
        """
        rounds, batches = self.seconds.shape
        if rounds * batches == 1:
            return None
        random = numpy.random.default_rng(0)
        speeds = []
        for _ in range(RESAMPLES):
            some_rounds = random.integers(rounds, size=(rounds, 1))
            some_batches = random.integers(batches, size=(rounds, batches))
            seconds = self.seconds[some_rounds, some_batches].sum(axis=1)
            speeds.append(numpy.median(self.words[some_batches].sum(axis=1) / seconds))
        low, high = numpy.quantile(speeds, [0.025, 0.975])
        return float(low), float(high)

    def changed_from(self, other: "Measurement") -> int:
        """The number of texts whose entities differ."""
        return sum(here != there for here, there in zip(self.entities, other.entities))


def time_candidates(
    nlp: Language, docs: Sequence[Doc], candidates: Sequence[Candidate], rounds: int
) -> list[Measurement]:
    """Run each candidate over all texts once to warm up, then time the candidates in turn.

    docs: each with tokens. Their entities, if there are any, are the gold standard. The pipeline
    reads new Docs with the same tokens and no annotation; making them isn't timed.
    """
    models = models_of(nlp).values()
    found = []
    with progressbar(candidates, label="Warming up") as warm_up:
        for candidate in warm_up:
            with predicting_in(candidate.precision, models):
                found.append(_annotate(nlp, docs, candidate.batch_size))
    seconds: dict[Candidate, list[list[float]]] = {candidate: [] for candidate in candidates}
    with progressbar([*candidates] * rounds, label="Measuring") as turns:
        for candidate in turns:
            with predicting_in(candidate.precision, models):
                seconds[candidate].append(_time_batches(nlp, docs, candidate.batch_size))
    return [
        Measurement(
            candidate,
            numpy.array([sum(map(len, batch)) for batch in minibatch(docs, candidate.batch_size)]),
            numpy.array(seconds[candidate]),
            entities,
            scores,
        )
        for candidate, (entities, scores) in zip(candidates, found)
    ]


def models_of(nlp: Language) -> dict[str, Model]:
    """The models of all enabled components, by name."""
    models = {name: getattr(pipe, "model", None) for name, pipe in nlp.pipeline}
    return {name: model for name, model in models.items() if isinstance(model, Model)}


def machine() -> dict[str, Any]:
    """The machine and the releases."""
    return {
        "device": device_name(get_torch_default_device()),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(terse=True),
        **describe_software(),
    }


def _annotate(
    nlp: Language, docs: Sequence[Doc], batch_size: int
) -> tuple[list[Entities], dict[str, float]]:
    """The entities of each text, and their scores if there is gold."""
    found: list[Entities] = []

    def examples() -> Iterator[Example]:
        predicted = nlp.pipe(_without_annotation(docs), batch_size=batch_size)
        for gold, doc in zip(docs, predicted):
            found.append([(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents])
            yield Example(doc, gold)

    scores = get_ner_prf(examples())
    names = ("ents_p", "ents_r", "ents_f") if any(doc.ents for doc in docs) else ()
    return found, {name: scores[name] for name in names}


def _time_batches(nlp: Language, docs: Sequence[Doc], batch_size: int) -> list[float]:
    """Seconds per batch."""
    predicted = nlp.pipe(_without_annotation(docs), batch_size=batch_size)
    seconds = []
    for _ in range(0, len(docs), batch_size):
        start = time.perf_counter()
        deque(islice(predicted, batch_size), maxlen=0)
        _wait_for_device()
        seconds.append(time.perf_counter() - start)
    return seconds


def _without_annotation(docs: Sequence[Doc]) -> Iterator[Doc]:
    """New Docs with the same tokens. Each is dropped once yielded, because it will hold vectors."""
    fresh = deque(
        Doc(
            doc.vocab,
            words=[token.text for token in doc],
            spaces=[bool(token.whitespace_) for token in doc],
        )
        for doc in docs
    )
    return (fresh.popleft() for _ in docs)


def _wait_for_device() -> None:
    if get_torch_default_device().type == "cuda":
        torch.cuda.synchronize()
