"""What the tests of a GPU share: where they run, how near is near, what a pipeline says."""

import os
from collections.abc import Sequence
from typing import Any

import numpy
import pytest
import spacy
import torch
from component.helpers import (
    DATA,
    MIXED,
    TEXTS,
    Entities,
    entities_of,
    keep_training,
    make_examples,
    transformer_config,
)
from spacy.language import Language
from spacy.training import Example
from thinc.api import Model

from spacy_hgn.backend.optimizer import AdamW

DRY = bool(os.environ.get("HGN_TEST_GPU_DRY"))
"""Whether to run on the CPU: it shows that the tests themselves run, where there is no GPU."""

DEVICE = torch.device("cpu") if DRY else torch.device("cuda", 0)

needs_cuda = pytest.mark.skipif(DRY, reason="asks CUDA itself")

FLOAT32 = 1e-5
"""How far a GPU's vectors and gradients may be from the CPU's, as a share of their norm. Both
have 24 bits, so that sums in another order differ by some 1e-7; Triton's three TF32 products for
one of float32 lose as much again."""

PROBABILITY = 1e-4
"""How far tag probabilities may be from the CPU's after a whole Transformer in float32."""

LABEL = ("It rains.", [(3, 8, "WEATHER")])
"""A text with an entity of a new type."""


def missing() -> str | None:
    """What these tests lack here."""
    if DRY:
        return None
    if not torch.cuda.is_available():
        return "torch sees no GPU"
    try:
        import cupy  # noqa: F401
    except ImportError as error:
        return f"CuPy can't be imported: {error}"
    return None


def hero_nlp(hero: str, hero_settings: dict[str, Any] | None = None, **model: Any) -> Language:
    """A pipeline of transformer, without dropout, and hgn_ner, in float32 unless told otherwise."""
    nlp = spacy.blank("en")
    config = transformer_config(hero)
    config["model"].update(hero_settings or {})
    nlp.add_pipe("transformer", config=config)
    model = {"windows": [1, 3], "precision": "float32", **model}
    nlp.add_pipe("hgn_ner", config={"model": model})
    return nlp


def teach(nlp: Language, steps: int, learn_rate: float = 0.01, **settings: Any) -> list[float]:
    """Initialize and train by our optimizer; returns the loss of every step."""
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    return keep_training(nlp, examples, AdamW(learn_rate), steps, **settings)


def raw(nlp: Language, texts: Sequence[str] = TEXTS) -> list[Example]:
    """Examples without gold."""
    return [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in texts]


def with_vectors(nlp: Language, texts: Sequence[str]) -> list[Any]:
    """Docs that have what hgn_ner reads."""
    return list(nlp.pipe(texts, disable=["hgn_ner"]))


def entities(nlp: Language, texts: Sequence[str], **settings: Any) -> list[Entities]:
    """The entities of texts; settings: of ``nlp.pipe``."""
    return [entities_of(doc) for doc in nlp.pipe(texts, **settings)]


def weights_of(model: Model) -> dict[str, numpy.ndarray]:
    """Copies of all weights, torch's and Thinc's, by place and name."""
    return _collect(model, lambda node, name: node.get_param(name), "param_names", "data")


def gradients_of(model: Model) -> dict[str, numpy.ndarray]:
    """Copies of all gradients that wait for an optimizer, by place and name."""
    return _collect(model, lambda node, name: node.get_grad(name), "grad_names", "grad")


def _collect(model: Model, get: Any, names: str, of_torch: str) -> dict[str, numpy.ndarray]:
    found = {}
    for i, node in enumerate(model.walk()):
        for name in getattr(node, names):
            if names == "grad_names" or node.has_param(name):
                found[f"{i} {node.name} {name}"] = model.ops.to_numpy(get(node, name)).copy()
        for shim in node.shims:
            for name, weights in shim._model.named_parameters():
                if (tensor := getattr(weights, of_torch)) is not None:
                    found[f"{i} {node.name} {name}"] = tensor.detach().cpu().numpy().copy()
    return found


def distance(found: Any, expected: Any) -> float:
    """The norm of the difference, as a share of what is expected; 0 where both are zeros."""
    found, expected = (torch.as_tensor(a).detach().cpu().double() for a in (found, expected))
    assert found.shape == expected.shape
    difference = float((found - expected).norm())
    return difference / max(float(expected.norm()), 1e-30)


def assert_near(found: dict[str, Any], expected: dict[str, Any], share: float) -> None:
    """Arrays by name, each within a share of its norm."""
    assert found.keys() == expected.keys()
    for name in expected:
        assert distance(found[name], expected[name]) < share, name


def joined(arrays: dict[str, numpy.ndarray]) -> numpy.ndarray:
    """All arrays as one. Some may be nothing but what sums leave: a Transformer's attention doesn't
    depend on the bias of its keys, so that its gradient is to be judged beside the others."""
    return numpy.concatenate([arrays[name].ravel() for name in sorted(arrays)])


def describe(nlp: Language) -> dict[str, Any]:
    """All that a pipeline says of some texts, as JSON has it."""
    ner = nlp.get_pipe("hgn_ner")
    docs = list(nlp.pipe(MIXED))
    doc = nlp(DATA[0][0])
    return {
        "bytes": {name: len(pipe.to_bytes(exclude=["vocab"])) for name, pipe in nlp.pipeline},
        "entities": [[list(entity) for entity in entities_of(each)] for each in docs],
        "scores": [[ent._.score for ent in each.ents] for each in docs],
        "probabilities": [a.tolist() for a in ner.predict(with_vectors(nlp, MIXED))],
        "explained": ner.explain(doc).to_dict(),
        "alternatives": [list(each) for each in ner.alternatives(doc[0:2])],
    }


def devices(nlp: Language) -> set[str]:
    """The types of the devices on which torch's weights are."""
    nodes = [node for _, pipe in nlp.pipeline for node in pipe.model.walk()]
    modules = [shim._model for node in nodes for shim in node.shims]
    return {weights.device.type for module in modules for weights in module.parameters()}
