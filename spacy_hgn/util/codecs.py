"""The codecs by which srsly reads and writes msgpack, found once."""

from functools import cache, partial
from typing import Any

import catalogue
from srsly.msgpack import msgpack_decoders, msgpack_encoders


@cache
def find_codecs_once() -> None:
    """Let srsly find its codecs when one is registered, and not for every value.

    For each Doc of a ``DocBin``, srsly asks all installed packages for codecs three times. Without
    that, a DocBin is written 8 times and read 16 times as fast (benchmarks/docbin.py).
    """
    for registry in (msgpack_encoders, msgpack_decoders):
        registry.get_all = partial(_get_all, registry, {})


def _get_all(registry: catalogue.Registry, known: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What is registered. known: the same, by how many functions all registries have."""
    size = len(catalogue.REGISTRY)
    if size not in known:
        known.clear()
        known[size] = catalogue.Registry.get_all(registry)
    return dict(known[size])
