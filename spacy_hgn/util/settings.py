"""Settings of a component that can be changed. They are checked, and stored with the pipeline.

``component.threshold = 0.8`` also changes the config of the component's pipeline, and so the stored
config. If another pipeline stores the component too, changes that aren't in its config are in
``cfg``. In both cases, ``spacy.load(config=...)`` overrides them.
"""

from collections import UserDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[str, Any], Any]
"""Takes a setting's name and value; returns the value, or raises ValueError."""


class Settings(UserDict[str, Any]):
    """The settings of a component, by name.

    Setting an unknown name or an invalid value raises ValueError and changes nothing.
    """

    def __init__(self, component: Any, checks: Mapping[str, Check], values: Mapping[str, Any]):
        """component: has a ``name``, and an ``owner``, its pipeline. checks: of all settings.
        values: of all settings at creation."""
        self._component, self._checks = component, checks
        super().__init__(values)
        self._made_with = dict(self.data)

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._checks:
            known = ", ".join(self._checks)
            raise ValueError(f"Unknown setting: expected one of {known}, got {name!r}.")
        self.data[name] = value = self._checks[name](name, value)
        if (nlp := self._component.owner) is not None:
            nlp.get_pipe_config(self._component.name)[name] = value

    def changes(self, config: Mapping[str, Any] | None) -> dict[str, list[Any]]:
        """The settings that differ from a config: for each, the value there and the present one.

        config: the component's section; None compares with the values at creation.
        """
        said = self._made_with if config is None else config
        pairs = ((name, [said.get(name), value]) for name, value in self.items())
        return {name: values for name, values in pairs if values[0] != values[1]}

    def change(self, changes: Mapping[str, list[Any]]) -> None:
        """Apply ``changes`` of a stored component, unless the config overrides them."""
        for name, (said, value) in changes.items():
            if self[name] == said:
                self[name] = value


def setting(name: str) -> Any:
    """A property for a setting in a component's ``cfg``."""

    def read(component: Any) -> Any:
        return component.cfg[name]

    def write(component: Any, value: Any) -> None:
        component.cfg[name] = value

    return property(read, write)


def one_of(values: Sequence[str], name: str, value: Any) -> str:
    """Check that a value is one of some names."""
    if value not in values:
        raise ValueError(f"Unknown {name}: expected one of {', '.join(values)}, got {value!r}.")
    return value


def probability(name: str, value: Any) -> float:
    """Check a number from 0 to 1."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name}: expected a probability from 0 to 1, got {value!r}.")
    return float(value)


def factor(name: str, value: Any) -> float:
    """Check a finite number above 0."""
    if not _is_number(value) or not 0 < value < float("inf"):
        raise ValueError(f"{name}: expected a number above 0, got {value!r}.")
    return float(value)


def truth(name: str, value: Any) -> bool:
    """Check True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected True or False, got {value!r}.")
    return value


def key_or_none(name: str, value: Any) -> str | None:
    """Check a key of ``doc.spans``, or None."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name}: expected a key of doc.spans or None, got {value!r}.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
