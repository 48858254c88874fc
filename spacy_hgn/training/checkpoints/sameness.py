"""Whether a run that goes on has the config and the data that it began with."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from spacy.attrs import (
    DEP,
    ENT_IOB,
    ENT_KB_ID,
    ENT_TYPE,
    HEAD,
    LEMMA,
    MORPH,
    ORTH,
    POS,
    SENT_START,
    SPACY,
    TAG,
)
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import get_torch_default_device

from spacy_hgn.util.environment import describe_software, device_name

ANNOTATION = [
    ORTH, SPACY, ENT_IOB, ENT_TYPE, ENT_KB_ID, TAG, POS, MORPH, LEMMA, HEAD, DEP, SENT_START
]  # fmt: skip
INDIFFERENT = "training.logger."
"""Settings that begin so have no part in what is learned."""


def settings_of(nlp: Language) -> dict[str, Any]:
    """The config in dotted form, variables filled in, but for the logger's."""
    found: dict[str, Any] = {}
    _flatten(nlp.config.interpolate(), "", found)
    return {name: value for name, value in found.items() if not name.startswith(INDIFFERENT)}


def surroundings() -> dict[str, str]:
    """What the same numbers may depend on besides config and data."""
    return {**describe_software(), "device": device_name(get_torch_default_device())}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Each setting that isn't what it was, as "name: before, now"."""
    now = json.loads(json.dumps(now))
    return [
        f"{name}: {_show(before, name)} then, {_show(now, name)} now"
        for name in sorted(before.keys() | now.keys())
        if _show(before, name) != _show(now, name)
    ]


class DataDigest:
    """A running digest of gold-standard Docs, in the order in which they come."""

    def __init__(self, examples: Iterable[Example] = ()) -> None:
        self._sha = hashlib.sha256()
        self.add(examples)

    def add(self, examples: Iterable[Example]) -> None:
        for example in examples:
            doc = example.reference
            self._sha.update(doc.to_array(ANNOTATION).tobytes())
            self._sha.update(repr((sorted(doc.cats.items()), _spans(doc))).encode("utf8"))

    def __str__(self) -> str:
        return self._sha.hexdigest()


def _spans(doc: Doc) -> list[tuple[Any, ...]]:
    groups = sorted(doc.spans.items())
    return [(name, [(s.start, s.end, s.label_) for s in group]) for name, group in groups]


def _show(settings: dict[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "not set"


def _flatten(value: Any, name: str, found: dict[str, Any]) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}" if name else key, found)
    else:
        found[name] = value
