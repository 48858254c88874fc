"""Compare config, releases and data of a resumed training with those at its start."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from spacy.language import Language
from spacy.training import Example
from spacy.util import dict_to_dot
from thinc.api import get_torch_default_device

from ...util.environment import describe_software, device_name

LOGGER = "training.logger."
ENDS = ("training.max_steps", "training.max_epochs", "training.patience")
"""Settings that only decide when the training ends."""


def settings_of(nlp: Language) -> dict[str, Any]:
    """The settings that influence the steps, in dotted form with variables filled in."""
    found = dict_to_dot(nlp.config.interpolate())
    kept = {k: v for k, v in found.items() if not k.startswith(LOGGER) and k not in ENDS}
    return json.loads(json.dumps(kept))


def environment() -> dict[str, str]:
    """Everything except config and data that may influence the numbers."""
    return {**describe_software(), "device": device_name(get_torch_default_device())}


def differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Each changed setting as "name: before, now"; empty if there is none."""
    return "; ".join(
        f"{name}: {_show(before, name)} then, {_show(now, name)} now"
        for name in sorted(before.keys() | now.keys())
        if _show(before, name) != _show(now, name)
    )


def _show(settings: dict[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "not set"


class DataDigest:
    """A running digest of gold-standard Docs, in order."""

    def __init__(self, examples: Iterable[Example] = ()) -> None:
        self._sha = hashlib.sha256()
        self.add(examples)

    def add(self, examples: Iterable[Example]) -> None:
        for example in examples:
            # Strings are stored in the order of a set, which differs between processes.
            doc = example.reference.to_bytes(exclude=["strings", "tensor", "user_data"])
            self._sha.update(doc)

    def __str__(self) -> str:
        return self._sha.hexdigest()
