"""Replay the steps before a checkpoint without computing them."""

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from spacy.language import Language
from spacy.training import Example
from thinc.api import Optimizer

from ..logger import Info
from ..loop.hooks import Losses, Scores
from ..loop.random_numbers import put_random_state
from .checkpoint import Checkpoint, Evaluation, read_arrays
from .differences import DataDigest, differences, environment
from .folder import CheckpointFolder
from .optimizers import load_optimizer
from .recording import Recording

logger = logging.getLogger("spacy_hgn")


class Replay(Recording):
    """Brings spaCy's loop to a checkpoint, and continues from there.

    Until the checkpoint, the loop draws the same batches and gets the same losses and scores. So
    its schedules, epochs, best scores and patience are the same.
    """

    def __init__(
        self,
        nlp: Language,
        folder: CheckpointFolder,
        frequency: int | None,
        path: Path,
        checkpoint: Checkpoint,
    ) -> None:
        """path: of the checkpoint. Raises ValueError if it belongs to a run with another config."""
        super().__init__(nlp, folder, frequency)
        self.path = path
        self.checkpoint = checkpoint
        self.arrived = False
        self._require_same_config()
        self.arrays = read_arrays(path)
        self.models.load(self.arrays["model"])
        self.random_at_start = checkpoint.random_at_start
        put_random_state(checkpoint.random_at_start)

    def update(self, examples: list[Example], *, losses: Losses, **settings: Any) -> Losses:
        if self.arrived:
            return super().update(examples, losses=losses, **settings)
        self.train_data.add(examples)
        to_come = self._evaluation_to_come()
        losses.update(self.checkpoint.losses if to_come is None else to_come.losses)
        return losses

    def before_finish_update(self, optimizer: Optimizer) -> None:
        if self.optimizer is None:
            counts = self.checkpoint.optimizer
            load_optimizer(optimizer, self.models, self.arrays["optimizer"], counts)
        super().before_finish_update(optimizer)

    def evaluate(self, examples: Iterable[Example]) -> Scores:
        if self.arrived:
            return super().evaluate(examples)
        found = self._evaluation_to_come()
        assert found is not None  # the same config evaluates at the same steps
        self._require_same_batches(found.train_data)
        if not self.dev_data:
            with self.random.drawing():
                self.dev_data = str(DataDigest(examples))
            if self.dev_data != self.checkpoint.dev_data:
                self._refuse(f"The development data differ from those of {self.path}")
        return found.scores

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the pipeline only after the last evaluation: earlier ones would be overwritten."""
        if self.arrived or self.step >= self.checkpoint.evaluations[-1].step:
            super().to_disk(path, exclude=exclude)
        else:
            Path(path).mkdir(exist_ok=True)

    def after_step(self, info: Info | None) -> None:
        if self.arrived:
            return super().after_step(info)
        self.note_best(info)
        if self.step == self.checkpoint.step:
            self._arrive()
        self.step += 1

    def detach(self) -> None:
        """Raises ValueError if the loop ended before the checkpoint."""
        super().detach()
        if not self.arrived:
            self._put_back_best()
            if sys.exc_info()[0] is None:
                self._refuse(
                    f"The training ends with step {self.step - 1}, before {self.path}: "
                    "training data, max_steps, max_epochs or patience were reduced"
                )

    def _evaluation_to_come(self) -> Evaluation | None:
        """The next evaluation in the checkpoint, at this step or later."""
        return next((each for each in self.checkpoint.evaluations if each.step >= self.step), None)

    def _arrive(self) -> None:
        """Restore the state of the killed run, and continue from here."""
        self._require_same_batches(self.checkpoint.train_data)
        self.models.zero_gradients(self.checkpoint.gradients)
        self.models.load_settings(self.arrays["settings"])
        self.random.state = self.checkpoint.random
        self.evaluations = list(self.checkpoint.evaluations)
        self._put_back_best()
        self.arrays = {}
        self.arrived = True

    def _put_back_best(self) -> None:
        if self.model_best is None:
            return
        if self.checkpoint.best is None:
            raise ValueError(
                f"The checkpoint {self.path} belongs to a run without an output folder, so "
                f"{self.model_best} can't be restored. Train without --output again, or "
                f"remove {self.folder.path} to start over."
            )
        self.folder.put_back_best(self.checkpoint.best, self.model_best)

    def _require_same_config(self) -> None:
        then = self.checkpoint
        if found := differences(then.settings, self.settings):
            best = f" The best pipeline is {self.folder.path / then.best}." if then.best else ""
            raise ValueError(
                f"The checkpoint {self.path} belongs to a run with another config; {found}. Undo "
                f"that, or remove {self.folder.path} to start over.{best} To train a finished "
                "pipeline with another schedule, start a new training from its weights: source = "
                '"..." instead of each factory.'
            )
        if found := differences(then.environment, environment()):
            logger.warning(
                "The checkpoint %s was written with other releases or on another device, so "
                "the weights may differ in their last digits: %s",
                self.path,
                found,
            )

    def _require_same_batches(self, expected: str) -> None:
        if str(self.train_data) != expected:
            self._refuse(
                f"The training data differ from those of {self.path}, in the batches up to "
                f"step {self.step}"
            )

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"{what}. Restore them, or remove {self.folder.path} to start over.")
