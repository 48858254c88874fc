"""Pipelines that were stored when Gang and classifier were layers of their own."""

import pytest
import spacy
import srsly
from safetensors.torch import load, save

from .helpers import TEXTS, assert_same, make_nlp, probabilities, train


def in_older_layout(data: bytes) -> bytes:
    """The bytes that a tagger of the same weights had then."""
    now = srsly.msgpack_loads(data)
    (shim,) = map(srsly.msgpack_loads, now["shims"][1])
    root, _, _, tok2vec, *inside = range(len(now["nodes"]))
    has_gang = bool(shim["config"]["windows"])
    first = 6 + has_gang

    def node(i: int) -> dict:
        moved = {name: at - 4 + first for name, at in now["nodes"][i]["refs"].items()}
        return {**now["nodes"][i], "refs": moved}

    def plain(name: str, **refs: int | None) -> dict:
        return {"name": name, "dims": {}, "refs": refs}

    gang = [{"name": "hero_gang", "dims": {}, "refs": {}}] if has_gang else []
    nodes = [
        plain("root", tok2vec=3, output_layer=2, hero_gang=5 if has_gang else None),
        *map(plain, ("fused", "tag_scores")),
        node(tok2vec),
        plain("dropout"),
        *gang,
        plain("tag_logits"),
        *map(node, inside),
    ]
    none: list = [{} for _ in gang]
    return srsly.msgpack_dumps(
        {
            "nodes": nodes,
            "attrs": [
                now["attrs"][root],
                {},
                {},
                now["attrs"][tok2vec],
                {**now["attrs"][1], "is_enabled": b"\xc3"},
                *none,
                {},
                *(now["attrs"][i] for i in inside),
            ],
            "params": [{}, {}, {}, now["params"][tok2vec], {}, *none, {}]
            + [now["params"][i] for i in inside],
            "shims": [[], [], [], now["shims"][tok2vec], [], *shims_of(shim)]
            + [now["shims"][i] for i in inside],
        }
    )


def shims_of(shim: dict) -> list[list[bytes]]:
    """Those of the Gang, if there is one, and of the classifier."""
    weights = load(shim["weights"])
    of_gang = {name: w for name, w in weights.items() if not name.startswith("classifier")}
    of_tags = {
        name.replace("classifier", "linear"): w
        for name, w in weights.items()
        if name.startswith("classifier")
    }
    width = of_tags["linear.weight"].shape[1]
    config = {name: value for name, value in shim["config"].items() if name != "edges"}
    gang = {
        "config": {"width": shim["width"], **config},
        "outputs": width,
        "weights": save(of_gang),
    }
    tags = {
        "config": {"width": width, "tags": None},
        "outputs": shim["tags"],
        "weights": save(of_tags),
    }
    messages = [gang, tags] if of_gang else [tags]
    return [[srsly.msgpack_dumps(message)] for message in messages]


def check(nlp, other):
    ner = other.get_pipe("hgn_ner")
    data = in_older_layout(nlp.get_pipe("hgn_ner").model.to_bytes())
    ner.set_cfg(nlp.get_pipe("hgn_ner").get_cfg())
    ner.load_model(data)
    assert_same(probabilities(other), probabilities(nlp))
    assert ner.to_bytes(exclude=["vocab"]) == nlp.get_pipe("hgn_ner").to_bytes(exclude=["vocab"])


@pytest.mark.parametrize(
    "model", [{}, {"windows": []}, {"fusion": "concat"}, {"fusion": "add", "recurrence": "mlp"}]
)
def test_weights_are_taken_from_the_layers_that_were(model):
    nlp = make_nlp(model)
    train(nlp, steps=3)
    check(nlp, make_nlp(model))


def test_a_hero_inside_of_the_component_comes_along(tiny_nlp, tiny_folder):
    tiny_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    tiny_nlp.remove_pipe("transformer")
    other = spacy.blank("xx").from_config(tiny_nlp.config)
    check(tiny_nlp, other)
    assert other(TEXTS[0]).ents


def test_another_config_is_refused_as_ever():
    nlp = make_nlp()
    train(nlp, steps=1)
    data = in_older_layout(nlp.get_pipe("hgn_ner").model.to_bytes())
    other = make_nlp({"fusion": "mlp"}).get_pipe("hgn_ner")
    other.set_cfg(nlp.get_pipe("hgn_ner").get_cfg())
    with pytest.raises(ValueError, match="fusion = 'dot', but the config says fusion = 'mlp'"):
        other.load_model(data)


def test_there_were_no_edges():
    nlp = make_nlp()
    train(nlp, steps=1)
    other = make_nlp({"edges": True}).get_pipe("hgn_ner")
    other.set_cfg(nlp.get_pipe("hgn_ner").get_cfg())
    with pytest.raises(ValueError, match="edges = False, but the config says edges = True"):
        other.load_model(in_older_layout(nlp.get_pipe("hgn_ner").model.to_bytes()))
