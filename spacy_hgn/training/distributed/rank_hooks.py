"""Hooks into spaCy's loop that keep the ranks synchronized."""

import random
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from spacy.language import Language
from spacy.training import Example
from thinc.api import Optimizer, fix_random_seed

from ...backend.optimizer import AdamW
from ...backend.ranks import Ranks, leave
from ...hero.listeners import is_mean
from ..loop.hooks import LoopHooks, Scores
from ..loop.random_numbers import RandomStream, put_random_state, random_state
from .gradients import GradientSum
from .same_weights import (
    require_same_models,
    require_same_weights,
    take_first_weights,
)
from .sharded_corpus import require_same_size, shard_for


class RankHooks(LoopHooks):
    """Sums gradients over ranks before each update. The first rank evaluates and writes."""

    def __init__(self, nlp: Language, ranks: Ranks) -> None:
        """nlp: with frozen components disabled. Raises ValueError if the ranks differ."""
        super().__init__(nlp, _random_numbers(ranks))
        self.ranks = ranks
        self.has_begun = False
        require_same_models(self.models, ranks)
        take_first_weights(self.models, ranks)
        self.sum_gradients = GradientSum(self.models, ranks.device)

    def attach(self) -> None:
        shard_for(self.nlp, self.ranks)
        super().attach()

    def before_finish_update(self, optimizer: Optimizer) -> None:
        """Raises ValueError for averaged weights, and if ranks read different data."""
        if optimizer.averages is not None:
            raise ValueError(
                "training.optimizer.use_averages: expected false under torchrun, got true. Thinc's "
                "averages don't include the weights of torch modules."
            )
        if isinstance(optimizer, AdamW):
            optimizer.over_ranks = True
        if not self.has_begun:
            require_same_size(self.nlp, self.ranks)
            self.has_begun = True
        self.sum_gradients()

    def evaluate(self, examples: Iterable[Example]) -> Scores:
        """The first rank's scores. The losses so far are combined over all ranks."""
        require_same_weights(self.models, self.ranks)
        of_ranks = self.ranks.of_all({name: float(loss) for name, loss in self.losses.items()})
        means = {name for name, pipe in self.nlp.pipeline if is_mean(pipe)}
        for name in self.losses:
            total = sum(losses.get(name, 0.0) for losses in of_ranks)
            self.losses[name] = total / len(of_ranks) if name in means else total
        scores = None
        if self.ranks.is_first:
            shard_for(self.nlp, None)
            scores = super().evaluate(examples)
            shard_for(self.nlp, self.ranks)
        return self.ranks.from_first(scores)

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Raises ValueError on any rank but the first."""
        if not self.ranks.is_first:
            raise ValueError(
                f"Rank {self.ranks.rank}: expected no output folder, got {Path(path).parent}. "
                "Only the first rank writes: pass the folder to it alone, as spacy train does."
            )
        replace_folder(
            Path(path), lambda folder: type(self.nlp).to_disk(self.nlp, folder, exclude=exclude)
        )

    def detach(self) -> None:
        """Restore the pipeline's methods. spaCy then writes the pipeline once more."""
        super().detach()
        vars(self.nlp)["to_disk"] = self.to_disk
        shard_for(self.nlp, None)
        if sys.exc_info()[0] is None:
            leave()


def _random_numbers(ranks: Ranks) -> RandomStream:
    """The rank's own stream. Outside it, all ranks' generators get the same state."""
    put_random_state(ranks.from_first(random_state()))
    seed = random.getrandbits(31)
    outside = random_state()
    fix_random_seed(seed + ranks.rank)
    own = random_state()
    put_random_state(outside)
    return RandomStream(own)


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder under another name, then replace the old one."""
    unfinished, old = (folder.with_name(folder.name + end) for end in (".unfinished", ".old"))
    for left_over in (unfinished, old):
        shutil.rmtree(left_over, ignore_errors=True)
    write(unfinished)
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
