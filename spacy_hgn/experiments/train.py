"""One training with spaCy's own loop, and its evaluations."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from timeit import default_timer
from typing import Any

import spacy
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining
from spacy.tokens import Doc
from spacy.training import Example
from spacy.training.loop import create_train_batches, train_while_improving
from spacy.util import load_model_from_config, registry
from thinc.api import Config, fix_random_seed

from ..backend.gradient_norms import Clipping
from ..corpora.parts import iterate_docs
from ..explain.contribution import Contribution, measure_contribution
from ..hero.frozen.frozen_hero import keeping_vectors
from ..training.logger import read_clipping
from .grid_file import Protocol
from .scores import Mention, get_gold, get_predicted, score

BEST = "model-best"

Listener = Callable[[int, list[float]], None]
"""Called with the number of finished steps and F1 on dev for the finished epochs."""


@dataclass(frozen=True)
class Predictions:
    """Gold and predicted entities by sentence."""

    gold: list[list[Mention]]
    predicted: list[list[Mention]]

    @cached_property
    def scores(self) -> dict[str, Any]:
        """The result of ``score``."""
        return score(self.gold, self.predicted)


@dataclass(frozen=True)
class Trained:
    """The results of a training. dev: of the epoch with the best F1 on dev; None if the protocol
    doesn't use dev. best_epoch: from 1, counting one per evaluation. contribution: of the Gang on
    dev after the last epoch; None without windows or dev. clipping: of the last steps, a thousand
    at most. seconds: for training and evaluation."""

    test: Predictions | None
    dev: Predictions | None
    dev_f1: list[float]
    best_epoch: int | None
    contribution: Contribution | None
    clipping: Clipping | None
    seconds: dict[str, float]

    def describe(self) -> dict[str, Any]:
        """The results in plain values, for a record."""
        return {
            **vars(self),
            "test": self.test and self.test.scores,
            "dev": self.dev and self.dev.scores,
            "contribution": self.contribution and asdict(self.contribution),
            "clipping": self.clipping and asdict(self.clipping),
        }


def train(
    config: Config, protocol: Protocol, paths: dict[str, list[Path]], folder: Path, listen: Listener
) -> Trained:
    """Train, choose the epoch with the protocol, and test.

    Training and scoring use the corpus's own tokens, as published scores do. spaCy's Corpus would
    use spaCy's tokens instead.

    paths: the ``.spacy`` files of "training", "dev" and "test". folder: for the best checkpoint.
    """
    seed = config.interpolate()["training"]["seed"]
    fix_random_seed(seed)
    nlp = load_model_from_config(config, auto_fill=True)
    settings = registry.resolve(nlp.config.interpolate()["training"], schema=ConfigSchemaTraining)
    examples = [make_example(doc, nlp) for doc in read_docs(paths["training"], nlp)]
    nlp.initialize(lambda: examples, sgd=settings["optimizer"])
    dev = paths["dev"] if protocol.selects_on_dev else []
    watch = DevWatch(nlp, dev, folder / BEST if protocol.reads_test else None)
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
    middle = default_timer()
    contribution, test = None, None
    if dev:
        contribution = measure_contribution(nlp, lambda: evaluate(nlp, dev).scores["f"])
    if protocol.reads_test:
        chosen = watch.get_chosen()
        with keeping_vectors(chosen):  # other runs read the same
            test = evaluate(chosen, paths["test"])
    seconds = {
        "training": round(middle - begin - watch.seconds, 1),
        "evaluation": round(default_timer() - middle + watch.seconds, 1),
    }
    clipping = read_clipping(nlp)
    return Trained(test, watch.best, watch.f1, watch.best_epoch, contribution, clipping, seconds)


class DevWatch:
    """Called by spaCy's loop to evaluate: at step 0, then at the end of each epoch."""

    def __init__(self, nlp: Language, dev: list[Path], checkpoint: Path | None) -> None:
        """dev: nothing is evaluated if it is empty. checkpoint: the path for the best one; None if
        it isn't needed."""
        self.nlp = nlp
        self.dev = dev
        self.checkpoint = checkpoint
        self.f1: list[float] = []
        self.best: Predictions | None = None
        self.best_epoch: int | None = None
        self.seconds = 0.0
        self._calls = 0

    def __call__(self) -> tuple[float, dict[str, float]]:
        self._calls += 1
        if not self.dev or self._calls == 1:  # untrained at step 0
            return 0.0, {}
        begin = default_timer()
        found = evaluate(self.nlp, self.dev)
        self.f1.append(found.scores["f"])
        if self.best is None or self.f1[-1] > self.best.scores["f"]:
            self.best, self.best_epoch = found, len(self.f1)
            if self.checkpoint:
                self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
                self.nlp.to_disk(self.checkpoint)
        self.seconds += default_timer() - begin
        return self.f1[-1], {}

    def get_chosen(self) -> Language:
        """The pipeline of the best epoch on dev; without dev, the current one."""
        if self.checkpoint is None or self.best_epoch in (None, len(self.f1)):
            return self.nlp
        return spacy.load(self.checkpoint)


def evaluate(nlp: Language, paths: Sequence[Path]) -> Predictions:
    """Predict the entities of ``.spacy`` files."""
    references = read_docs(paths, nlp)
    docs = nlp.pipe([strip(reference) for reference in references])
    predicted = [get_predicted(doc, reference) for doc, reference in zip(docs, references)]
    return Predictions([get_gold(reference) for reference in references], predicted)


def read_docs(paths: Sequence[Path], nlp: Language) -> list[Doc]:
    """The Docs of ``.spacy`` files or folders, in order."""
    return [doc for path in paths for doc in iterate_docs(path, nlp)]


def make_example(reference: Doc, nlp: Language) -> Example:
    """An Example with the corpus's tokens."""
    return Example(strip(reference), reference)


def strip(reference: Doc) -> Doc:
    """A new Doc with the same tokens and sentence starts, without entities."""
    return Doc(
        reference.vocab,
        words=[token.text for token in reference],
        spaces=[bool(token.whitespace_) for token in reference],
        sent_starts=[token.is_sent_start for token in reference],
    )
