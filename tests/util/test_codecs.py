"""srsly's codecs are found once, and again when there is a new one."""

import catalogue
import srsly
from srsly.msgpack import msgpack_decoders, msgpack_encoders

from spacy_hgn.util.codecs import find_codecs_once


class Celsius:
    def __init__(self, degrees):
        self.degrees = degrees


def encode(value, chain=None):
    if isinstance(value, Celsius):
        return {"celsius": value.degrees}
    return value if chain is None else chain(value)


def decode(value, chain=None):
    if "celsius" in value:
        return Celsius(value["celsius"])
    return value if chain is None else chain(value)


def test_codecs_that_are_registered_later_are_found(monkeypatch):
    monkeypatch.setattr(catalogue, "REGISTRY", catalogue.REGISTRY.copy())
    find_codecs_once()
    assert srsly.msgpack_loads(srsly.msgpack_dumps({"here": [1, "two"]})) == {"here": [1, "two"]}
    msgpack_encoders.register("celsius", func=encode)
    msgpack_decoders.register("celsius", func=decode)
    assert srsly.msgpack_loads(srsly.msgpack_dumps(Celsius(3))).degrees == 3
