"""Functions in the place of a pipeline's own, while spaCy's loop trains it."""

from collections.abc import Callable
from typing import Any

from spacy.language import Language
from thinc.api import Optimizer

METHODS = ("update", "evaluate", "to_disk")
"""What spaCy's loop calls on the pipeline."""


def stand_in(nlp: Language, **functions: Callable) -> None:
    """Have the functions answer in the place of those methods of the pipeline; and the
    pipeline itself again in the place of the others."""
    for name in METHODS:
        vars(nlp).pop(name, None)
    vars(nlp).update(functions)


def when_optimizer_comes(component: Any, call: Callable[[Optimizer], None]) -> None:
    """Call with spaCy's optimizer before the component's next update.

    No hook of a config is told which one it is.
    """
    finish_update = component.finish_update

    def finish_update_once(sgd: Optimizer) -> None:
        vars(component).pop("finish_update")
        call(sgd)
        finish_update(sgd)

    replace_finish_update(component, finish_update_once)


def replace_finish_update(component: Any, function: Callable[[Optimizer], None]) -> None:
    """Have the function answer in the place of the component's method.

    Raises ValueError for spaCy's parser and ner, which are compiled and take no function.
    """
    if not hasattr(component, "__dict__"):
        raise ValueError(
            f"nlp.pipeline: expected another trained component before {component.name}, which "
            "can't be watched in training. Put one of yours before it, or the Transformer or "
            "tok2vec that it listens to."
        )
    component.finish_update = function
