"""A training run that writes checkpoints."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import DIR_MODEL_BEST
from thinc.api import Optimizer

from .checkpoint import Evaluation, State, Store
from .models import TrainedModels
from .optimizers import optimizer_arrays, optimizer_counts
from .random_states import RandomState, RandomStream
from .sameness import DataDigest, settings_of, surroundings
from .stand_ins import stand_in, when_optimizer_comes

Info = dict[str, Any]
"""What spaCy's loop tells of a step with an evaluation."""
Losses = dict[str, float]


class Run:
    """Stands between spaCy's loop and the pipeline that it trains, and notes what happens.

    What is computed draws random numbers of its own: so the data draw the same, whether the
    steps between them are computed or replayed.
    """

    def __init__(self, nlp: Language, store: Store, frequency: int | None) -> None:
        """nlp: frozen components are disabled. frequency: steps between checkpoints; None is
        one after each evaluation."""
        self.nlp = nlp
        self.store = store
        self.frequency = frequency
        self.models = TrainedModels(nlp)
        self.settings = settings_of(nlp)
        self.random_at_start = RandomState.take()
        self.random = RandomStream(self.random_at_start)
        self.optimizer: Optimizer | None = None
        self.step = 0
        self.batches = DataDigest()
        self.losses: Losses = {}
        self.evaluations: list[Evaluation] = []
        self.best: int | None = None
        self.model_best: Path | None = None

    def begin(self) -> None:
        when_optimizer_comes(self.models.components[0], self.take_optimizer)
        self.answer()

    def take_optimizer(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def answer(self) -> None:
        """From here on, answer what spaCy's loop asks of the pipeline."""
        stand_in(self.nlp, update=self.update, evaluate=self.evaluate)

    def update(self, examples: list[Example], *, losses: Losses, **settings: Any) -> Losses:
        self.batches.add(examples)
        self.losses = losses
        with self.random.drawing():
            return type(self.nlp).update(self.nlp, examples, losses=losses, **settings)

    def evaluate(self, examples: Iterable[Example]) -> dict[str, Any]:
        with self.random.drawing():
            dev = list(examples)
            scores = type(self.nlp).evaluate(self.nlp, dev)
        batches, losses = str(self.batches), dict(self.losses)
        self.evaluations.append(
            Evaluation(self.step, scores, losses, batches, str(DataDigest(dev)))
        )
        return scores

    def after_step(self, info: Info | None) -> None:
        """Write a checkpoint if one is due. info: None without an evaluation."""
        self.note(info)
        evaluated = info is not None
        is_due = evaluated if self.frequency is None else self.step % self.frequency == 0
        if is_due:
            self._write({} if evaluated else dict(self.losses))
        self.step += 1

    def note(self, info: Info | None) -> None:
        """Note where spaCy's loop keeps the best pipeline, and whether this is a better one."""
        if info is not None and "output_path" in info:
            self.model_best = Path(info["output_path"]).parent / DIR_MODEL_BEST
            if info["score"] == max(info["checkpoints"])[0]:
                self.best = self.step

    def end(self) -> None:
        stand_in(self.nlp)

    def _write(self, losses: Losses) -> None:
        """losses: since the last evaluation."""
        assert self.optimizer is not None  # it has come in the first step
        models, optimizer = self.models, self.optimizer
        state = State(
            step=self.step,
            settings=self.settings,
            surroundings=surroundings(),
            evaluations=self.evaluations,
            losses=losses,
            batches=str(self.batches),
            best=self.best,
            random_at_start=self.random_at_start,
            random=self.random.state,
            optimizer=optimizer_counts(optimizer, models),
            gradients=models.holding_gradients(),
        )
        arrays = {
            "model": models.arrays(),
            "settings": models.settings(),
            "optimizer": optimizer_arrays(optimizer, models),
        }
        self.store.write(state, arrays, self.model_best)
