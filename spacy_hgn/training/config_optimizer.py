"""The optimizer in a pipeline's config, for updates outside ``spacy train``."""

import logging
from functools import partial
from typing import Any

from spacy.language import Language
from spacy.util import registry
from thinc.api import Optimizer

logger = logging.getLogger("spacy_hgn")


def let_optimizer_refer(nlp: Language) -> None:
    """Allow references to other sections of the config in ``[training.optimizer]``.

    spaCy's ``nlp.create_optimizer`` resolves that section alone, in which ``${vars.learn_rate}`` is
    just a string. ``nlp.resume_training()``, ``nlp.initialize()`` and ``nlp.update`` use it.
    """
    if type(nlp).create_optimizer is Language.create_optimizer:
        vars(nlp)["create_optimizer"] = partial(create_optimizer, nlp)


def create_optimizer(nlp: Language) -> Any:
    """Create the optimizer in ``[training.optimizer]``, with variables filled in."""
    settings = nlp.config.interpolate()["training"]["optimizer"]
    optimizer = registry.resolve({"optimizer": settings})["optimizer"]
    is_scheduled = isinstance(optimizer, Optimizer) and "learn_rate" in optimizer.schedules
    if is_scheduled and optimizer.learn_rate == 0:
        logger.warning(
            "The schedule of training.optimizer begins at a learning rate of 0, and nlp.update "
            "doesn't advance it: call optimizer.step_schedules() after each update."
        )
    return optimizer
