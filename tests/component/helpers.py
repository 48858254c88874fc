"""Pipelines and training data that the tests of the component share."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, Model, fix_random_seed

Entities = list[tuple[int, int, str]]

DATA: list[tuple[str, Entities]] = [
    ("Tim Cook runs Apple from Cupertino.", [(0, 8, "PERSON"), (14, 19, "ORG"), (25, 34, "GPE")]),
    ("Angela Merkel lived in New York City.", [(0, 13, "PERSON"), (23, 36, "GPE")]),
    ("It rains.", []),
    ("The European Central Bank is in Frankfurt.", [(4, 25, "ORG"), (32, 41, "GPE")]),
]
TEXTS = [text for text, _ in DATA]
LABELS = ("GPE", "ORG", "PERSON")

MIXED = [
    *TEXTS,
    "",
    " ",
    "\n\n \t",
    "Apple",
    "Tim Cook and Angela Merkel met in New York City, not in Cupertino. " * 3,
    "  Tim  Cook\n\nruns\tApple ",
    "東京 🎉 naïve “Apple”",
]
"""Texts of all kinds, some without words."""

CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 32,
    "depth": 1,
    "embed_size": 300,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
    "pretrained_vectors": None,
}
"""A Hero that costs next to nothing."""

LISTENER = {
    "@architectures": "spacy-transformers.TransformerListener.v1",
    "grad_factor": 1.0,
    "upstream": "*",
    "pooling": {"@layers": "reduce_first.v1"},
}


def make_nlp(model: dict[str, Any] | None = None, **config: Any) -> Language:
    """A pipeline of hgn_ner alone, over a CNN. model, config: what isn't default."""
    nlp = spacy.blank("xx")
    nlp.add_pipe(
        "hgn_ner", config={"model": {"tok2vec": CNN, "windows": [1, 3], **(model or {})}, **config}
    )
    return nlp


def transformer_config(hero: str) -> dict[str, Any]:
    """The settings of a transformer without dropout, in float32."""
    kind = json.loads(Path(hero, "config.json").read_text(encoding="utf8"))["model_type"]
    names = (
        ["dropout"] if kind == "xlnet" else ["hidden_dropout_prob", "attention_probs_dropout_prob"]
    )
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 32, "stride": 24}
    return {
        "model": {
            "@architectures": "spacy-hgn.TransformerModel.v1",
            "name": hero,
            "get_spans": spans,
            "precision": "float32",
            "transformer_config": dict.fromkeys(names, 0.0),
        }
    }


def make_hero_nlp(hero: str, **model: Any) -> Language:
    """A pipeline of transformer and hgn_ner. hero: the Transformer's folder."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(hero))
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [1, 3], **model}})
    return nlp


def make_examples(nlp: Language, data: Sequence[tuple[str, Entities]] = DATA) -> list[Example]:
    """Gold-standard Examples. data: texts and their entities by character."""
    return [Example.from_dict(nlp.make_doc(text), {"entities": ents}) for text, ents in data]


def train(
    nlp: Language,
    data: Sequence[tuple[str, Entities]] = DATA,
    steps: int = 30,
    learn_rate: float = 0.01,
    **settings: Any,
) -> list[float]:
    """Initialize and train the pipeline; returns the loss of every step.

    settings: arguments of ``nlp.update``.
    """
    examples = make_examples(nlp, data)
    nlp.initialize(lambda: examples)
    return keep_training(nlp, examples, Adam(learn_rate), steps, **settings)


def keep_training(
    nlp: Language, examples: Sequence[Example], optimizer: Any, steps: int, **settings: Any
) -> list[float]:
    """Train an initialized pipeline; returns the loss of every step."""
    by_step = []
    for _ in range(steps):
        losses: dict[str, float] = {}
        nlp.update(examples, sgd=optimizer, losses=losses, **settings)
        by_step.append(losses["hgn_ner"])
    return by_step


def train_to_disk(nlp: Language, folder: Path, **settings: Any) -> Path:
    """Train the pipeline, the same each time, and write it to the folder; returns that.

    settings: as for ``train``.
    """
    fix_random_seed(0)
    train(nlp, **settings)
    nlp.to_disk(folder)
    return folder


def entities_of(doc: Doc) -> Entities:
    return [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]


def assert_finds(nlp: Language, data: Sequence[tuple[str, Entities]] = DATA) -> None:
    """The pipeline finds the entities that it was trained on."""
    for text, expected in data:
        assert entities_of(nlp(text)) == expected


def probabilities(nlp: Language, texts: Sequence[str] = TEXTS) -> list[numpy.ndarray]:
    """The tag probabilities of texts."""
    docs = list(nlp.pipe(texts, disable=["hgn_ner"]))
    return nlp.get_pipe("hgn_ner").predict(docs)


def random_scores(doc: Doc, tags: int, seed: int) -> list[numpy.ndarray]:
    """Tag probabilities that name entities everywhere."""
    scores = numpy.random.default_rng(seed).dirichlet(numpy.ones(tags), len(doc))
    return [scores.astype("float32")]


def assert_same(found: Sequence[numpy.ndarray], expected: Sequence[numpy.ndarray]) -> None:
    """The same numbers, but for the last digits."""
    for left, right in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(left, right, atol=1e-5, rtol=0)


def weights_of(model: Model) -> dict[str, numpy.ndarray]:
    """Copies of all weights, torch's and Thinc's, by place and name."""
    found = {}
    for i, node in enumerate(model.walk()):
        for name in node.param_names:
            if node.has_param(name):
                found[f"{i} {node.name} {name}"] = node.get_param(name).copy()
        for shim in node.shims:
            for name, weights in shim._model.named_parameters():
                found[f"{i} {node.name} {name}"] = weights.detach().numpy().copy()
    return found


def gradients_of(model: Model) -> dict[str, numpy.ndarray]:
    """Copies of all gradients that wait for an optimizer, by place and name."""
    found = {}
    for i, node in enumerate(model.walk()):
        for name in node.grad_names:
            found[f"{i} {node.name} {name}"] = node.get_grad(name).copy()
        for shim in node.shims:
            for name, weights in shim._model.named_parameters():
                if weights.grad is not None:
                    found[f"{i} {node.name} {name}"] = weights.grad.numpy().copy()
    return found


def step_gradients(nlp: Language) -> dict[str, numpy.ndarray]:
    """What an optimizer is given when the step ends, by component, place and name."""
    found = {}
    for component, pipe in nlp.pipeline:
        names = {}
        for i, node in enumerate(pipe.model.walk()):
            place = f"{component} {i} {node.name}"
            names |= {(node.id, name): f"{place} {name}" for name in node.param_names}
            for shim in node.shims:
                weights = shim._model.named_parameters()
                names |= {(shim.id, name): f"{place} {name}" for name, _ in weights}

        def record(key, weights, gradient, names=names):
            found[names[key]] = gradient.copy()
            gradient.fill(0)  # as Thinc's optimizers do
            return weights, gradient

        pipe.finish_update(record)
    return found


def changed(before: dict[str, numpy.ndarray], after: dict[str, numpy.ndarray]) -> set[str]:
    """The names of weights that aren't what they were."""
    assert before.keys() == after.keys()
    return {name for name in before if not numpy.array_equal(before[name], after[name])}
