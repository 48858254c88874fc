"""One training by spaCy's own loop, and its evaluations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from timeit import default_timer
from typing import Any

import spacy
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.training.loop import create_train_batches, train_while_improving
from spacy.util import load_model_from_config, registry
from thinc.api import Config, fix_random_seed

from ..backend.gradient_norms import Clipping
from ..explain.contribution import Contribution, measure_contribution
from ..hero.frozen.frozen_hero import keeping_vectors
from ..training.logger import read_clipping
from .protocols import Protocol
from .scores import Entity, get_gold, get_predicted, score

BEST = "model-best"

Listener = Callable[[int, list[float]], None]
"""Is told the steps done and the F1 on dev of the epochs done."""


@dataclass
class Evaluation:
    """Entities by sentence, and their scores."""

    gold: list[list[Entity]]
    predicted: list[list[Entity]]
    scores: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.scores = score(self.gold, self.predicted)


@dataclass
class Trained:
    """What came out. dev: of the epoch with the best F1 on it, None where the protocol doesn't
    look. best_epoch: counted from 1, as if each ended with an evaluation. contribution: of the
    Gang, in the last epoch on dev, None without windows or dev. clipping: of the last steps, the
    thousand that are remembered."""

    test: Evaluation | None
    dev: Evaluation | None
    dev_f1: list[float]
    best_epoch: int | None
    contribution: Contribution | None
    clipping: Clipping | None
    training_seconds: float
    evaluation_seconds: float


def train(
    config: Config, protocol: Protocol, paths: dict[str, list[Path]], folder: Path, listen: Listener
) -> Trained:
    """Train, choose the epoch as the protocol says, and test.

    The corpus's own tokens are trained on and scored, as published scores are. spaCy's Corpus
    would put spaCy's tokens in their place.

    paths: the ``.spacy`` files of "training", "dev" and "test". folder: takes the best
    checkpoint.
    """
    seed = config.interpolate()["training"]["seed"]
    fix_random_seed(seed)
    nlp = load_model_from_config(config, auto_fill=True)
    settings = registry.resolve(nlp.config.interpolate()["training"], schema=ConfigSchemaTraining)
    examples = [make_example(doc, nlp) for doc in read_docs(paths["training"], nlp)]
    nlp.initialize(lambda: examples, sgd=settings["optimizer"])
    dev = paths["dev"] if protocol.selects_on_dev else []
    watch = DevWatch(nlp, dev, folder if protocol.reads_test else None)
    begin = default_timer()
    fix_random_seed(seed)
    for _, info, _ in train_while_improving(
        nlp,
        settings["optimizer"],
        create_train_batches(nlp, lambda _: examples, settings["batcher"], max_epochs=0),
        watch,
        dropout=settings["dropout"],
        eval_frequency=settings["eval_frequency"],
        accumulate_gradient=settings["accumulate_gradient"],
        patience=settings["patience"],
        max_steps=settings["max_steps"],
        exclude=settings["frozen_components"],
        annotating_components=settings["annotating_components"],
        before_update=settings["before_update"],
    ):
        listen(info["step"], watch.f1)
    training_seconds = default_timer() - begin - watch.seconds
    begin = default_timer()
    clipping = read_clipping(nlp)
    contribution = None
    if dev:
        contribution = measure_contribution(nlp, lambda: evaluate(nlp, dev).scores["f"])
    test = None
    if protocol.reads_test:
        chosen = watch.get_chosen()
        with keeping_vectors(chosen):  # other runs read the same
            test = evaluate(chosen, paths["test"])
    return Trained(
        test=test,
        dev=watch.best,
        dev_f1=watch.f1,
        best_epoch=watch.best_epoch,
        contribution=contribution,
        clipping=clipping,
        training_seconds=training_seconds,
        evaluation_seconds=watch.seconds + default_timer() - begin,
    )


class DevWatch:
    """What spaCy's loop calls to evaluate: at step 0, then at each epoch's end."""

    def __init__(self, nlp: Language, dev: list[Path], folder: Path | None) -> None:
        """dev: nothing is evaluated if there's none. folder: takes the best checkpoint, None if
        it isn't needed."""
        self.nlp = nlp
        self.dev = dev
        self.folder = folder
        self.f1: list[float] = []
        self.best: Evaluation | None = None
        self.best_epoch: int | None = None
        self.seconds = 0.0
        self._calls = 0

    def __call__(self) -> tuple[float, dict[str, float]]:
        self._calls += 1
        if not self.dev or self._calls == 1:  # nothing is learned at step 0
            return 0.0, {}
        begin = default_timer()
        evaluation = evaluate(self.nlp, self.dev)
        self.f1.append(evaluation.scores["f"])
        if self.best is None or self.f1[-1] > self.best.scores["f"]:
            self.best, self.best_epoch = evaluation, len(self.f1)
            if self.folder:
                self.folder.mkdir(parents=True, exist_ok=True)
                self.nlp.to_disk(self.folder / BEST)
        self.seconds += default_timer() - begin
        return self.f1[-1], {}

    def get_chosen(self) -> Language:
        """The pipeline of the best epoch on dev; without dev, as it is now."""
        if self.folder is None or self.best_epoch in (None, len(self.f1)):
            return self.nlp
        return spacy.load(self.folder / BEST)


def evaluate(nlp: Language, paths: Sequence[Path]) -> Evaluation:
    """Predict the entities of ``.spacy`` files and score them."""
    references = read_docs(paths, nlp)
    docs = nlp.pipe([strip(reference) for reference in references])
    predicted = [get_predicted(doc, reference) for doc, reference in zip(docs, references)]
    return Evaluation([get_gold(reference) for reference in references], predicted)


def read_docs(paths: Sequence[Path], nlp: Language) -> list[Doc]:
    """The Docs of ``.spacy`` files, in order."""
    return [doc for path in paths for doc in DocBin().from_disk(path).get_docs(nlp.vocab)]


def make_example(reference: Doc, nlp: Language) -> Example:
    """An Example with the corpus's tokens."""
    return Example(strip(reference), reference)


def strip(reference: Doc) -> Doc:
    """The same tokens and starts of sentences without the entities."""
    return Doc(
        reference.vocab,
        words=[token.text for token in reference],
        spaces=[bool(token.whitespace_) for token in reference],
        sent_starts=[token.is_sent_start for token in reference],
    )
