"""A training run of which this process is one rank."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import DIR_MODEL_BEST
from thinc.api import Optimizer, fix_random_seed

from ...backend.optimizer import AdamW
from ...backend.ranks import Ranks, leave
from ...hero.listeners import is_mean
from ..checkpoints.models import TrainedModels
from ..checkpoints.random_states import RandomState, RandomStream
from ..checkpoints.stand_ins import replace_finish_update, stand_in
from .gradients import GradientSum
from .output import copy_whole, write_whole
from .sameness import (
    require_own_gpu,
    require_same_models,
    require_same_weights,
    take_first_weights,
)
from .scores import for_the_loop, plain
from .sharded_corpus import require_same_size, shard_for

Info = dict[str, Any]
"""What spaCy's loop tells of a step with an evaluation."""
Losses = dict[str, float]


class Run:
    """Stands between spaCy's loop and the pipeline, so that the ranks' loops go in step.

    What is computed draws random numbers of the rank's own, for dropout; data are drawn alike.
    """

    def __init__(self, nlp: Language, ranks: Ranks) -> None:
        """nlp: frozen components are disabled. Raises ValueError for ranks that differ."""
        self.nlp = nlp
        self.ranks = ranks
        self.models = TrainedModels(nlp)
        self.score_weights = nlp.config["training"]["score_weights"]
        self.losses: Losses = {}
        self.has_begun = False
        self.written = False
        require_own_gpu(self.models, ranks)
        require_same_models(self.models, ranks)
        take_first_weights(self.models, ranks)
        self.sum_gradients = GradientSum(self.models, ranks.device)
        self.random = _random_numbers(ranks)

    def begin(self) -> None:
        """From here on, answer what spaCy's loop asks of the pipeline."""
        shard_for(self.nlp, self.ranks)
        stand_in(self.nlp, update=self.update, evaluate=self.evaluate, to_disk=self.to_disk)
        first = self.models.components[0]
        finish_update = first.finish_update

        def finish_updates(sgd: Optimizer) -> None:
            self.before_finish_update(sgd)
            finish_update(sgd)

        replace_finish_update(first, finish_updates)

    def update(self, examples: list[Example], *, losses: Losses, **settings: Any) -> Losses:
        self.losses = losses
        with self.random.drawing():
            return type(self.nlp).update(self.nlp, examples, losses=losses, **settings)

    def before_finish_update(self, optimizer: Optimizer) -> None:
        """All gradients of the step are there.

        Raises ValueError for an optimizer of averages, and for ranks that read different data.
        """
        if optimizer.averages is not None:
            raise ValueError(
                "training.optimizer.use_averages: expected false under torchrun, got true. Thinc's "
                "averages leave the weights of torch's modules out."
            )
        if isinstance(optimizer, AdamW):
            optimizer.over_ranks = True
        if not self.has_begun:
            require_same_size(self.nlp, self.ranks)
            self.has_begun = True
        self.sum_gradients()

    def evaluate(self, examples: Iterable[Example]) -> dict[str, Any]:
        """The first rank's scores; the losses so far become all ranks' together."""
        require_same_weights(self.models, self.ranks)
        of_ranks = self.ranks.of_all({name: float(loss) for name, loss in self.losses.items()})
        means = {name for name, pipe in self.nlp.pipeline if is_mean(pipe)}
        for name in self.losses:
            total = sum(losses.get(name, 0.0) for losses in of_ranks)
            self.losses[name] = total / len(of_ranks) if name in means else total
        scores = self._evaluate(examples) if self.ranks.is_first else None
        return for_the_loop(self.ranks.from_first(scores), self.score_weights)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the pipeline, if this is the first rank."""
        self.written = True
        if self.ranks.is_first:
            self.nlp.meta["performance"] = plain(self.nlp.meta.get("performance", {}))
            write_whole(
                Path(path),
                lambda folder: type(self.nlp).to_disk(self.nlp, folder, exclude=exclude),
            )

    def after_step(self, info: Info | None) -> None:
        """Keep the best pipeline. info: None without an evaluation.

        Raises ValueError where spaCy's loop wrote another pipeline than this one.
        """
        if info is None or "output_path" not in info:
            return
        if not self.written:
            raise ValueError(
                "training.before_to_disk: expected a callback that returns the pipeline that it "
                "is given, as all ranks would write another one into the same folder."
            )
        self.written = False
        if self.ranks.is_first and _is_best(info):
            last = Path(info["output_path"])
            copy_whole(last, last.with_name(DIR_MODEL_BEST))

    def end(self, failed: bool) -> None:
        """Leave the loop, which writes the pipeline once more."""
        stand_in(self.nlp, to_disk=self.to_disk)
        vars(self.models.components[0]).pop("finish_update")
        shard_for(self.nlp, None)
        if not failed:
            leave()

    def _evaluate(self, examples: Iterable[Example]) -> dict[str, Any]:
        shard_for(self.nlp, None)
        with self.random.drawing():
            scores = type(self.nlp).evaluate(self.nlp, examples)
        shard_for(self.nlp, self.ranks)
        return scores


def _is_best(info: Info) -> bool:
    return float(info["score"]) >= max(float(score) for score, _ in info["checkpoints"])


def _random_numbers(ranks: Ranks) -> RandomStream:
    """The rank's own stream. Outside of it, the ranks' generators are brought into one state."""
    RandomState.from_json(ranks.from_first(RandomState.take().to_json())).put()
    seed = random.getrandbits(31)
    outside = RandomState.take()
    fix_random_seed(seed + ranks.rank)
    own = RandomStream(RandomState.take())
    outside.put()
    return own
