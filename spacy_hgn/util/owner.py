"""Which pipeline a component was made for."""

from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary, ref

from spacy.language import Language

_owners: WeakKeyDictionary[Any, ref[Language]] = WeakKeyDictionary()


def belong_to(component: Any, nlp: Language) -> None:
    """Remember a component's pipeline. Not in the component, which is pickled."""
    _owners[component] = ref(nlp)


def owner_of(component: Any) -> Language | None:
    """The pipeline; None if it isn't known, is gone, or no longer has the component."""
    nlp = _owners.get(component, lambda: None)()
    if nlp is None or not any(pipe is component for _, pipe in nlp.components):
        return None
    return nlp


def config_of(component: Any) -> MutableMapping[str, Any] | None:
    """The component's section of its pipeline's config, to be read and changed."""
    nlp = owner_of(component)
    return None if nlp is None else nlp.get_pipe_config(component.name)
