"""Pipelines whose windows see a text's edges: batches, files, listeners, and what can't be had."""

import copy

import numpy
import pytest
import spacy
import srsly
from spacy.tokens import Doc
from thinc.api import Adam

from spacy_hgn.tagger.flat import BLOCK_TOKENS

from .helpers import (
    CNN,
    LISTENER,
    MIXED,
    TEXTS,
    assert_finds,
    assert_same,
    make_examples,
    make_hero_nlp,
    make_nlp,
    probabilities,
    train,
    transformer_config,
)
from .test_flat import counted, docs_of_one_length, ones, other_output, other_places
from .test_hero_gang_tok2vec import add_spancat, assert_finds_spans, train_spancat
from .test_listeners import STANDALONE

WORDS = " ".join(TEXTS).split()


@pytest.fixture
def edge_nlp(tiny_bert):
    """A pipeline that was trained a little, in float32."""
    nlp = make_hero_nlp(tiny_bert, edges=True, windows=[1, 7], precision="float32")
    train(nlp, steps=1)
    return nlp


def vectors(nlp, texts):
    return list(nlp.get_pipe("transformer").pipe(map(nlp.make_doc, texts)))


# Batches and blocks


def test_docs_alone_and_in_any_batch(edge_nlp):
    """Of several calls of the Hero, in any order, twice and empty."""
    ner = edge_nlp.get_pipe("hgn_ner")
    first, second = vectors(edge_nlp, MIXED), vectors(edge_nlp, MIXED[::-1])
    mixed = [first[8], second[0], first[4], first[0], second[8], first[0], second[5], first[3]]
    alone = [probabilities(edge_nlp, [doc.text])[0] for doc in mixed]
    assert [len(array) for array in alone] == list(map(len, mixed))
    assert_same(ner.predict(mixed), alone)


@pytest.mark.parametrize("is_inside", [False, True])
@pytest.mark.parametrize("size", [1, 2, 8, 41])
def test_blocks_change_no_probability(size, is_inside, edge_nlp, monkeypatch):
    if is_inside:
        edge_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
        edge_nlp.remove_pipe("transformer")

    def predict():
        lengths = (3, 70, 0, 8, 1, 41, 1, 7)
        docs = [Doc(edge_nlp.vocab, words=(WORDS * 4)[:length]) for length in lengths]
        docs = list(edge_nlp.pipe(docs, disable=["hgn_ner"]))
        return edge_nlp.get_pipe("hgn_ner").predict(docs)

    whole = predict()
    monkeypatch.setitem(BLOCK_TOKENS, "cpu", size)
    assert_same(predict(), whole)


def test_more_docs_take_no_more_operators(edge_nlp):
    ner = edge_nlp.get_pipe("hgn_ner")
    few, many = (docs_of_one_length(edge_nlp, count) for count in (8, 64))
    calls = counted(lambda: ner.predict(few))
    assert calls == counted(lambda: ner.predict(many))
    assert calls["aten.embedding.default"] == calls["aten.index.Tensor"] == 1


def test_explain_tells_of_the_tokens(edge_nlp):
    doc = edge_nlp(TEXTS[0])
    found = edge_nlp.get_pipe("hgn_ner").explain(doc)
    assert found.sources == ("window 1", "window 7", "hero")
    assert found.weights.shape == (len(doc), 3)
    numpy.testing.assert_allclose(found.weights[:, :-1].sum(axis=1), 1, atol=1e-5)


# Training


@pytest.mark.parametrize("is_frozen", [False, True])
def test_learns(is_frozen, tiny_bert, tmp_path):
    nlp = make_hero_nlp(tiny_bert, edges=True)
    settings = {"exclude": ["transformer"], "annotates": ["transformer"]} if is_frozen else {}
    losses = train(nlp, steps=60, learn_rate=0.003, drop=0.1, **settings)
    assert losses[-1] < losses[0]
    if not is_frozen:
        assert_finds(nlp)
    nlp.to_disk(tmp_path)
    assert_same(probabilities(spacy.load(tmp_path), MIXED), probabilities(nlp, MIXED))


@pytest.mark.slow
def test_a_tok2vec_for_another_component(tiny_bert, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    add_spancat(nlp, LISTENER, edges=True)
    train_spancat(nlp, 150, 0.003)
    assert_finds_spans(nlp)
    nlp.to_disk(tmp_path)
    assert_finds_spans(spacy.load(tmp_path))


# Files


def stored(nlp, **config):
    """The model's bytes with other settings beside the weights; None takes one away."""
    message = srsly.msgpack_loads(nlp.get_pipe("hgn_ner").model.to_bytes())
    shim = srsly.msgpack_loads(message["shims"][1][0])
    shim["config"] = {k: v for k, v in {**shim["config"], **config}.items() if v is not None}
    message["shims"][1][0] = srsly.msgpack_dumps(shim)
    return srsly.msgpack_dumps(message)


def load(nlp, data):
    ner = nlp.get_pipe("hgn_ner")
    for label in ("GPE", "ORG", "PERSON"):
        ner.add_label(label)
    ner.load_model(data)
    return ner


@pytest.mark.parametrize("edges", [True, False])
def test_weights_for_the_other_setting_are_refused(edges, tiny_bert, tmp_path):
    nlp = make_hero_nlp(tiny_bert, edges=edges)
    train(nlp, steps=0)
    nlp.to_disk(tmp_path)
    other = {"components.hgn_ner.model.edges": not edges}
    says = f"trained with edges = {edges}, but the config says edges = {not edges}"
    with pytest.raises(ValueError, match=says):
        spacy.load(tmp_path, config=other)


def test_pipelines_that_were_stored_before_have_no_edges():
    nlp = make_nlp()
    train(nlp, steps=1)
    data = stored(nlp, edges=None)
    load(make_nlp(), data)
    with pytest.raises(ValueError, match="with edges = False, but the config says edges = True"):
        load(make_nlp({"edges": True}), data)


@pytest.mark.parametrize("edges", [True, False])
def test_without_windows_edges_have_no_effect(edges, tiny_bert):
    nlp = make_hero_nlp(tiny_bert, windows=[])
    train(nlp, steps=1)
    other = make_hero_nlp(tiny_bert, windows=[], edges=edges)
    other.get_pipe("transformer").from_bytes(nlp.get_pipe("transformer").to_bytes())
    load(other, stored(nlp))
    assert_same(probabilities(other), probabilities(nlp))
    base = make_nlp({"windows": [], "edges": edges})  # nor is a Transformer needed
    train(base, steps=1)


# Listeners


def test_replaced_listeners(edge_nlp, tmp_path):
    expected = probabilities(edge_nlp, MIXED)
    edge_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    edge_nlp.remove_pipe("transformer")
    assert edge_nlp.get_pipe_config("hgn_ner")["model"]["edges"]
    assert_same(probabilities(edge_nlp, MIXED), expected)
    edge_nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_same(probabilities(loaded, MIXED), expected)
    loaded.update(make_examples(loaded), sgd=Adam(0.01))
    assert not numpy.allclose(probabilities(loaded)[0], expected[0])


def test_a_hero_inside_from_the_config(tiny_bert):
    settings = transformer_config(tiny_bert)["model"]
    tok2vec = {**settings, "@architectures": STANDALONE, "pooling": LISTENER["pooling"]}
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": tok2vec, "edges": True}})
    losses = train(nlp, steps=10, learn_rate=0.003)
    assert losses[-1] < losses[0]


# What can't be had


@pytest.mark.parametrize("edges", ["yes", 2, None, [True]])
def test_the_setting_is_true_or_false(edges):
    with pytest.raises(ValueError, match="edges"):
        make_nlp({"edges": edges})


def test_a_cnn_has_no_edges():
    nlp = make_nlp({"edges": True})
    with pytest.raises(ValueError, match=r"edges = true: expected .*Transformer.* got 'extract_"):
        train(nlp, steps=0)


def test_a_tok2vec_listener_has_no_edges():
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "tok2vec"}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": listener, "edges": True}})
    with pytest.raises(ValueError, match=r"edges = true: expected .* got 'tok2vec-listener'"):
        train(nlp, steps=0)


def test_spacy_transformers_own_model_has_no_edges(tiny_bert):
    config = transformer_config(tiny_bert)
    config["model"]["@architectures"] = "spacy-transformers.TransformerModel.v3"
    del config["model"]["precision"]
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=config)
    nlp.add_pipe("hgn_ner", config={"model": {"edges": True}})
    train(nlp, steps=0)
    says = r"edges = true: expected .*spacy-hgn\.TransformerModel.* got TransformerData of another"
    with pytest.raises(ValueError, match=says):
        nlp(TEXTS[0])
    with pytest.raises(ValueError, match=says):
        nlp.update(make_examples(nlp), sgd=Adam(0.01))


@pytest.mark.parametrize("change", [ones, other_output, other_places])
def test_vectors_that_were_replaced_have_no_edges(change, edge_nlp):
    docs = vectors(edge_nlp, ["", *TEXTS])
    change(docs[2]._.trf_data)
    with pytest.raises(ValueError, match=r"edges = true: expected .* got replaced vectors or"):
        edge_nlp.get_pipe("hgn_ner").predict(docs)


def test_vectors_that_were_stored_have_no_edges(edge_nlp):
    docs = vectors(edge_nlp, TEXTS)
    docs[1] = copy.deepcopy(docs[1])
    with pytest.raises(
        ValueError, match=r"edges = true: expected .* got TransformerData of another"
    ):
        edge_nlp.get_pipe("hgn_ner").predict(docs)


def test_some_docs_without_vectors_have_no_edges(tiny_bert):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    add_spancat(nlp, LISTENER, edges=True)
    train_spancat(nlp, 0, 0.0)
    with pytest.raises(ValueError, match=r"reads the vectors of the component .* but it has none"):
        nlp.get_pipe("spancat").predict([*vectors(nlp, TEXTS), nlp.make_doc(TEXTS[0])])
