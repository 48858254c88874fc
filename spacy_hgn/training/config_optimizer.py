"""The optimizer that a pipeline's own config describes, for updates outside of ``spacy train``."""

import logging
from functools import partial
from typing import Any

from spacy.language import Language
from spacy.util import registry
from thinc.api import Optimizer

logger = logging.getLogger("spacy_hgn")


def let_optimizer_refer(nlp: Language) -> None:
    """Let ``[training.optimizer]`` refer to other sections of the config, as ours does.

    spaCy's ``nlp.create_optimizer``, and so ``nlp.resume_training()``, ``nlp.initialize()`` and
    ``nlp.update``, resolve that section by itself, where ``${vars.learn_rate}`` is just a string.
    """
    if type(nlp).create_optimizer is Language.create_optimizer:
        vars(nlp)["create_optimizer"] = partial(create_optimizer, nlp)


def create_optimizer(nlp: Language) -> Any:
    """Create the optimizer of ``[training.optimizer]``, variables filled in."""
    settings = nlp.config.interpolate()["training"]["optimizer"]
    optimizer = registry.resolve({"optimizer": settings})["optimizer"]
    if _begins_at_zero(optimizer):
        logger.warning(
            "The schedule of training.optimizer begins at a learning rate of 0, and nlp.update "
            "doesn't advance it: call optimizer.step_schedules() after each update."
        )
    return optimizer


def _begins_at_zero(optimizer: Any) -> bool:
    if not isinstance(optimizer, Optimizer):
        return False
    return "learn_rate" in optimizer.schedules and optimizer.learn_rate == 0
