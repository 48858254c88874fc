"""The steps before a checkpoint, gone through again without computing them."""

import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from spacy.training import Example
from thinc.api import Optimizer

from .checkpoint import Evaluation, State
from .optimizers import load_optimizer
from .run import Info, Losses, Run
from .sameness import DataDigest, differences, surroundings
from .stand_ins import stand_in, when_optimizer_comes

logger = logging.getLogger("spacy_hgn")


class Replay:
    """Takes spaCy's loop to a checkpoint: it draws the same batches and is told the same
    losses and scores; its schedules, epochs, best scores and patience come out the same."""

    def __init__(self, run: Run, state: State) -> None:
        """Raises ValueError where the checkpoint is of a run with another config."""
        self.run = run
        self.state = state
        self.where = run.store.path_of(state)
        self.arrived = False
        if found := differences(state.settings, run.settings):
            raise ValueError(
                f"The checkpoint {self.where} is of a run with another config; "
                f"{'; '.join(found)}. Undo that, or remove {run.store.path} to begin anew."
            )
        if found := differences(state.surroundings, surroundings()):
            logger.warning(
                "The checkpoint %s was written under other releases or on another device, so "
                "the weights may end up different in their last digits: %s",
                self.where,
                "; ".join(found),
            )

    def begin(self) -> None:
        self.arrays = self.run.store.read_arrays(self.state)
        self.run.models.load(self.arrays["model"])
        self.state.random_at_start.put()
        self.run.random_at_start = self.state.random_at_start
        when_optimizer_comes(self.run.models.components[0], self.take_optimizer)
        stand_in(self.run.nlp, update=self.update, evaluate=self.evaluate, to_disk=self.to_disk)

    def take_optimizer(self, optimizer: Optimizer) -> None:
        self.run.take_optimizer(optimizer)
        load_optimizer(optimizer, self.run.models, self.arrays["optimizer"], self.state.optimizer)

    def update(self, examples: list[Example], *, losses: Losses, **settings: Any) -> Losses:
        self.run.batches.add(examples)
        to_come = self._evaluation_to_come
        losses.update(self.state.losses if to_come is None else to_come.losses)
        return losses

    def evaluate(self, examples: Iterable[Example]) -> dict[str, Any]:
        found = self._evaluation_to_come
        assert found is not None  # the config, and so each step with an evaluation, is the same
        first = self.state.evaluations[0]
        self._compare_batches(found.batches)
        if found is first:
            with self.run.random.drawing():
                dev = str(DataDigest(examples))
            if dev != first.dev:
                raise ValueError(
                    f"The development data aren't those that {self.where} was evaluated on. Put "
                    f"them back, or remove {self.run.store.path} to begin anew."
                )
        return found.scores

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the pipeline after the last evaluation alone: others would be overwritten."""
        if self.run.step == self.state.evaluations[-1].step:
            type(self.run.nlp).to_disk(self.run.nlp, path, exclude=exclude)
        else:
            Path(path).mkdir(exist_ok=True)

    def after_step(self, info: Info | None) -> None:
        if self.arrived:
            return self.run.after_step(info)
        self.run.note(info)
        if self.run.step == self.state.step:
            self._arrive()
        self.run.step += 1

    def end(self) -> None:
        """Leave the loop. Raises ValueError where its data ended before the checkpoint."""
        self.run.end()
        if not self.arrived:
            self._put_model_best()
            if sys.exc_info()[0] is None:
                self._refuse_data(f"they end before step {self.run.step}")

    @property
    def _evaluation_to_come(self) -> Evaluation | None:
        """The next one that the checkpoint knows of, which may be this step's."""
        later = (each for each in self.state.evaluations if each.step >= self.run.step)
        return next(later, None)

    def _arrive(self) -> None:
        """Go on from here as the run that was killed would have gone on."""
        run, state = self.run, self.state
        self._compare_batches(state.batches)
        run.models.lay_gradients(state.gradients)
        run.models.load_settings(self.arrays["settings"])
        run.random.state = state.random
        run.evaluations = list(state.evaluations)
        self._put_model_best()
        self.arrays = {}
        self.arrived = True
        run.answer()

    def _put_model_best(self) -> None:
        if self.run.model_best is None:
            return
        if self.state.best is None:
            raise ValueError(
                f"The checkpoint {self.where} is of a run without an output folder, so there is "
                f"no {self.run.model_best} to go on with. Train without --output again, or "
                f"remove {self.run.store.path} to begin anew."
            )
        self.run.store.copy_best(self.state, self.run.model_best)

    def _compare_batches(self, expected: str) -> None:
        if str(self.run.batches) != expected:
            known = [each.step for each in self.state.evaluations if each.step < self.run.step]
            first = known[-1] + 1 if known else 0
            self._refuse_data(f"the batches of steps {first} to {self.run.step} are others")

    def _refuse_data(self, what: str) -> NoReturn:
        raise ValueError(
            f"The training data aren't those that {self.where} was trained on: {what}. Put them "
            f"back, or remove {self.run.store.path} to begin anew."
        )
