"""One training by spaCy's own loop, and its evaluations."""

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
"""Is told the steps done and the F1 on dev of the epochs done."""


@dataclass(frozen=True)
class Predictions:
    """Entities by sentence: annotated ones and predicted ones."""

    gold: list[list[Mention]]
    predicted: list[list[Mention]]

    @cached_property
    def scores(self) -> dict[str, Any]:
        """As ``score`` tells them."""
        return score(self.gold, self.predicted)


@dataclass(frozen=True)
class Trained:
    """What came out. dev: of the epoch with the best F1 on it, None where the protocol doesn't
    look. best_epoch: counted from 1, as if each ended with an evaluation. contribution: of the
    Gang, in the last epoch on dev, None without windows or dev. clipping: of the last steps, the
    thousand that are remembered. seconds: of training and evaluation."""

    test: Predictions | None
    dev: Predictions | None
    dev_f1: list[float]
    best_epoch: int | None
    contribution: Contribution | None
    clipping: Clipping | None
    seconds: dict[str, float]

    def describe(self) -> dict[str, Any]:
        """What a record has of it."""
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
    """What spaCy's loop calls to evaluate: at step 0, then at each epoch's end."""

    def __init__(self, nlp: Language, dev: list[Path], checkpoint: Path | None) -> None:
        """dev: nothing is evaluated if there's none. checkpoint: where the best one goes, None if
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
        if not self.dev or self._calls == 1:  # nothing is learned at step 0
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
        """The pipeline of the best epoch on dev; without dev, as it is now."""
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
    """The Docs of ``.spacy`` files, or folders of such, in order."""
    return [doc for path in paths for doc in iterate_docs(path, nlp)]


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
