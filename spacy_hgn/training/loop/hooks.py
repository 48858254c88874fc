"""Hooks into spaCy's training loop, which has only the logger to call at the end of a step.

The loop calls ``update`` of the pipeline once or more a step, ``finish_update`` of its components,
and, where it evaluates, ``evaluate`` and ``to_disk`` of the pipeline. A config can't name
functions for these, so they are put in the place of the pipeline's own while it is trained.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from spacy.language import Language
from spacy.training import Example
from thinc.api import Optimizer

from ..logger import Info, Logger, LogStep
from .random_numbers import RandomStream
from .trained_models import TrainedModels

Losses = dict[str, float]
Scores = dict[str, Any]


class LoopHooks:
    """Does what spaCy's loop asks of a pipeline; subclasses add to it.

    What is computed draws random numbers of its own: so batches are drawn alike, whatever is
    computed between them.
    """

    def __init__(self, nlp: Language, random: RandomStream) -> None:
        """nlp: frozen components are disabled, as spaCy's loop hands it to a logger."""
        self.nlp = nlp
        self.random = random
        self.models = TrainedModels(nlp)
        self.losses: Losses = {}
        """Since the last evaluation; spaCy's loop adds to it."""

    def attach(self) -> None:
        """From here on, answer spaCy's loop.

        Raises ValueError for spaCy's parser and ner as the first: they are compiled.
        """
        first = self.models.components[0]
        if not hasattr(first, "__dict__"):
            raise ValueError(
                f"nlp.pipeline: expected another trained component before {first.name}, which "
                "can't be watched in training. Put one of yours before it, or the Transformer or "
                "tok2vec that it listens to."
            )
        finish_update = first.finish_update

        def finish_updates(sgd: Optimizer) -> None:
            self.before_finish_update(sgd)
            finish_update(sgd)

        first.finish_update = finish_updates
        for name in ("update", "evaluate", "to_disk"):
            setattr(self.nlp, name, getattr(self, name))

    def detach(self) -> None:
        """Leave the loop: the pipeline answers for itself again."""
        vars(self.models.components[0]).pop("finish_update")
        for name in ("update", "evaluate", "to_disk"):
            vars(self.nlp).pop(name)

    def update(self, examples: list[Example], *, losses: Losses, **settings: Any) -> Losses:
        self.losses = losses
        with self.random.drawing():
            return type(self.nlp).update(self.nlp, examples, losses=losses, **settings)

    def before_finish_update(self, optimizer: Optimizer) -> None:
        """All gradients of the step are there, and no weight has moved."""

    def evaluate(self, examples: Iterable[Example]) -> Scores:
        with self.random.drawing():
            return type(self.nlp).evaluate(self.nlp, examples)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        type(self.nlp).to_disk(self.nlp, path, exclude=exclude)

    def after_step(self, info: Info | None) -> None:
        """info: None without an evaluation."""


def hooked(logger: Logger, make_hooks: Callable[[Language, IO], LoopHooks]) -> Logger:
    """The logger, with hooks into the loop that it tells of.

    make_hooks: of the pipeline and standard output.
    """

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        hooks = make_hooks(nlp, stdout)
        tell, stop_telling = logger(nlp, stdout, stderr)
        hooks.attach()

        def log_step(info: Info | None) -> None:
            tell(info)
            hooks.after_step(info)

        def finalize() -> None:
            stop_telling()
            hooks.detach()

        return log_step, finalize

    return setup
