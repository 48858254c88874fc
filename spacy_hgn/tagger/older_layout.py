"""Load taggers of earlier releases, in which Gang and classifier were separate layers."""

from typing import Any

import srsly
from safetensors.torch import load, save

ROOT, TOK2VEC, DROPOUT, HERO_GANG = 0, 3, 4, 5
"""Indices of nodes. The classifier and the nodes inside the tok2vec follow."""


def in_present_layout(data: bytes) -> bytes:
    """Convert a tagger's bytes to the present layout, if necessary."""
    old = srsly.msgpack_loads(data)
    refs = old["nodes"][ROOT]["refs"]
    if "output_layer" not in refs:
        return data
    shims = [srsly.msgpack_loads(shim) for shims in old["shims"][HERO_GANG:][:2] for shim in shims]
    has_gang = refs["hero_gang"] is not None
    shim = _join(shims[0] if has_gang else None, shims[has_gang])
    kept = [TOK2VEC, *range(HERO_GANG + has_gang + 1, len(old["nodes"]))]
    places = {before: TOK2VEC + i for i, before in enumerate(kept)}
    dims = {"nI": shim["width"], "nO": shim["tags"]}
    nodes = [
        {"name": "hero_gang>>ragged2list", "dims": dims, "refs": {"flat": 1, "tok2vec": TOK2VEC}},
        {"name": "hero_gang", "dims": dims, "refs": {}},
        {"name": "ragged2list", "dims": {}, "refs": {}},
    ]
    for node in (old["nodes"][i] for i in kept):
        nodes.append({**node, "refs": {name: places[i] for name, i in node["refs"].items()}})
    rate = {"dropout_rate": old["attrs"][DROPOUT]["dropout_rate"]}
    new = {
        "nodes": [{**node, "index": i} for i, node in enumerate(nodes)],
        "attrs": [old["attrs"][ROOT], rate, {}, *(old["attrs"][i] for i in kept)],
        "params": [{}, {}, {}, *(old["params"][i] for i in kept)],
        "shims": [[], [srsly.msgpack_dumps(shim)], [], *(old["shims"][i] for i in kept)],
    }
    return srsly.msgpack_dumps(new)


def _join(gang: dict[str, Any] | None, classifier: dict[str, Any]) -> dict[str, Any]:
    """Join the Gang's message, if there is one, and the classifier's into one."""
    config = {"windows": []} if gang is None else dict(gang["config"])
    width = config.pop("width", classifier["config"]["width"])
    weights = classifier["weights"]
    if weights is not None:
        state = {} if gang is None else load(gang["weights"])
        for name, weight in load(weights).items():
            state[name.replace("linear.", "classifier.")] = weight
        weights = save(state)
    return {"config": config, "width": width, "tags": classifier["outputs"], "weights": weights}
