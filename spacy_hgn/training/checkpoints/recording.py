"""A training that writes checkpoints."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import DIR_MODEL_BEST
from thinc.api import Optimizer

from ..logger import Info
from ..loop.hooks import LoopHooks, Losses, Scores
from ..loop.random_numbers import RandomStream, random_state
from .checkpoint import Checkpoint, Evaluation
from .differences import DataDigest, environment, settings_of
from .folder import CheckpointFolder
from .optimizers import optimizer_arrays, optimizer_counts


class Recording(LoopHooks):
    """Records spaCy's training loop, and writes a checkpoint when one is due."""

    def __init__(self, nlp: Language, folder: CheckpointFolder, frequency: int | None) -> None:
        """frequency: steps between checkpoints; None is one after each evaluation."""
        self.random_at_start = random_state()
        super().__init__(nlp, RandomStream(self.random_at_start))
        self.folder = folder
        self.frequency = frequency
        self.settings = settings_of(nlp)
        self.optimizer: Optimizer | None = None
        self.step = 0
        self.train_data = DataDigest()
        self.dev_data = ""
        self.evaluations: list[Evaluation] = []
        self.best_step = 0
        self.model_best: Path | None = None

    def update(self, examples: list[Example], *, losses: Losses, **settings: Any) -> Losses:
        self.train_data.add(examples)
        return super().update(examples, losses=losses, **settings)

    def before_finish_update(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def evaluate(self, examples: Iterable[Example]) -> Scores:
        with self.random.drawing():
            dev = list(examples)
        self.dev_data = self.dev_data or str(DataDigest(dev))
        scores = super().evaluate(dev)
        found = Evaluation(self.step, scores, dict(self.losses), str(self.train_data))
        self.evaluations.append(found)
        return scores

    def after_step(self, info: Info | None) -> None:
        """Write a checkpoint if one is due. info: None without an evaluation."""
        self.note_best(info)
        is_evaluated = info is not None
        if is_evaluated if self.frequency is None else self.step % self.frequency == 0:
            self._write({} if is_evaluated else dict(self.losses))
        self.step += 1

    def note_best(self, info: Info | None) -> None:
        """Record the path of spaCy's best pipeline, and whether this step is the best."""
        if info is not None and "output_path" in info:
            self.model_best = Path(info["output_path"]).parent / DIR_MODEL_BEST
            if info["score"] == max(info["checkpoints"])[0]:
                self.best_step = self.step

    def detach(self) -> None:
        super().detach()
        self.folder.release()

    def _write(self, losses: Losses) -> None:
        """Write a checkpoint. losses: since the last evaluation."""
        assert self.optimizer is not None  # set in the first step
        checkpoint = Checkpoint(
            step=self.step,
            settings=self.settings,
            environment=environment(),
            evaluations=self.evaluations,
            losses=losses,
            train_data=str(self.train_data),
            dev_data=self.dev_data,
            best=self._keep_best(),
            random_at_start=self.random_at_start,
            random=self.random.state,
            optimizer=optimizer_counts(self.optimizer, self.models),
            gradients=self.models.gradients(),
        )
        arrays = {
            "model": self.models.arrays(),
            "settings": self.models.settings(),
            "optimizer": optimizer_arrays(self.optimizer, self.models),
        }
        self.folder.write(checkpoint, arrays)

    def _keep_best(self) -> str | None:
        if self.model_best is None:
            return None
        return self.folder.keep_best(self.best_step, self.model_best)
