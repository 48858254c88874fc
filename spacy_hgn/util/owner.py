"""The pipeline that a component was created for."""

from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary, ref

from spacy.language import Language

_owners: WeakKeyDictionary[Any, ref[Language]] = WeakKeyDictionary()


def belong_to(component: Any, nlp: Language) -> None:
    """Record a component's pipeline, outside the component, which is pickled."""
    _owners[component] = ref(nlp)


def owner_of(component: Any) -> Language | None:
    """The pipeline; None if it is unknown, deleted, or no longer has the component."""
    nlp = _owners.get(component, lambda: None)()
    if nlp is None or not any(pipe is component for _, pipe in nlp.components):
        return None
    return nlp


def config_of(component: Any) -> MutableMapping[str, Any] | None:
    """The component's section in its pipeline's config, which can be changed."""
    nlp = owner_of(component)
    return None if nlp is None else nlp.get_pipe_config(component.name)
