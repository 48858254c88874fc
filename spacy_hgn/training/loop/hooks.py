"""Hooks into spaCy's training loop, in which a config can only set the logger.

In each step, the loop calls ``update`` of the pipeline once or more and ``finish_update`` of its
components. When it evaluates, it calls ``evaluate`` and ``to_disk`` of the pipeline. The hooks
replace these methods during the training.
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
    """Methods that spaCy's loop calls. Subclasses extend them.

    Computations have their own random numbers, so that batches don't depend on them.
    """

    def __init__(self, nlp: Language, random: RandomStream) -> None:
        """nlp: as spaCy's loop passes it to a logger, with frozen components disabled."""
        self.nlp = nlp
        self.random = random
        self.models = TrainedModels(nlp)
        self.losses: Losses = {}
        """Losses since the last evaluation; spaCy's loop adds to them."""

    def attach(self) -> None:
        """Replace the methods.

        Raises ValueError if the first component is spaCy's parser or ner, which are compiled.
        """
        first = self.models.components[0]
        if not hasattr(first, "__dict__"):
            raise ValueError(
                f"nlp.pipeline: expected another trained component before {first.name}, which "
                "can't be hooked into. Put another component before it, or the Transformer or "
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
        """Restore the methods."""
        vars(self.models.components[0]).pop("finish_update")
        for name in ("update", "evaluate", "to_disk"):
            vars(self.nlp).pop(name)

    def update(self, examples: list[Example], *, losses: Losses, **settings: Any) -> Losses:
        self.losses = losses
        with self.random.drawing():
            return type(self.nlp).update(self.nlp, examples, losses=losses, **settings)

    def before_finish_update(self, optimizer: Optimizer) -> None:
        """Called when all gradients of a step are computed, before any weight is updated."""

    def evaluate(self, examples: Iterable[Example]) -> Scores:
        with self.random.drawing():
            return type(self.nlp).evaluate(self.nlp, examples)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        type(self.nlp).to_disk(self.nlp, path, exclude=exclude)

    def after_step(self, info: Info | None) -> None:
        """Called after each step. info: None without an evaluation."""


def hooked(logger: Logger, make_hooks: Callable[[Language, IO], LoopHooks]) -> Logger:
    """Wrap a logger with hooks into the training loop.

    make_hooks: a function of the pipeline and standard output.
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
