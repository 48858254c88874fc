"""The Hero learns, and predicts in threads and in copies of its own."""

from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
import torch
from spacy.training import Example
from spacy_transformers.span_getters import get_doc_spans
from thinc.api import Adam, Softmax, chain, fix_random_seed, reduce_first, with_array

from spacy_hgn.architectures import build_tok2vec_transformer, build_transformer_model

from .helpers import ARCHITECTURES, TEXTS, assert_same, make_pipeline, pipe_vectors, vectors

# Weights that no gradient can reach: XLNet's stands for masked pieces of its pretraining.
UNREACHED = {"xlnet": {"mask_emb"}}


@pytest.fixture
def make_classifier(hero_folders):
    """A Hero inside of a model that tells capitalized tokens from others."""

    def make(name):
        hero = build_tok2vec_transformer(
            hero_folders[name], get_doc_spans, reduce_first(), precision="float32"
        )
        return chain(hero, with_array(Softmax(2))), hero.layers[0].layers[0]

    return make


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_reach_the_weights_and_the_loss_falls(name, make_classifier, english):
    texts = ["Apple hired Tim Cook \u200b in 1998", "London", "", "we like\nrain in Berlin"]
    docs = [english(text) for text in texts]
    gold = [numpy.eye(2, dtype="f")[[int(token.is_title) for token in doc]] for doc in docs]
    fix_random_seed(0)
    model, hero = make_classifier(name)
    model.initialize(X=docs[:2], Y=gold[:2])
    optimizer = Adam(0.003)
    losses = []
    for step in range(20):
        predicted, backprop = model.begin_update(docs)
        errors = [array - answer for array, answer in zip(predicted, gold, strict=True)]
        backprop(errors)
        if step == 1:  # at first the classifier's weights are zero, and so all gradients
            weights = dict(hero.transformer.named_parameters())
            missing = {key for key, value in weights.items() if value.grad is None}
            assert missing == UNREACHED.get(name, set())
            assert all(weights[key].grad.any() for key in weights.keys() - missing)
        losses.append(sum(float((error**2).sum()) for error in errors))
        model.finish_update(optimizer)
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_there_is_no_pooler(name, make_hero, english):
    hero = make_hero(name)
    assert not [key for key in hero.transformer.state_dict() if "pooler" in key]
    assert set(hero.predict([english("London")]).model_output) <= {"last_hidden_state", "mems"}


def test_components_that_listen_train_the_hero(hero_folders):
    nlp = make_pipeline(hero_folders["bert"], window=8)
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "pooling": {"@layers": "reduce_first.v1"},
    }
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}
    for name in ("tagger", "second"):
        nlp.add_pipe("tagger", name=name, config={"model": tagger})
    texts = ["Apple hired Tim Cook in 1998 , and he doesn't regret it", "London \u200b", "", "rain"]
    examples = []
    for text in texts:
        doc = nlp.make_doc(text)
        examples.append(Example.from_dict(doc, {"tags": [f"T{token.is_title}" for token in doc]}))
    fix_random_seed(0)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.002
    before = nlp.get_pipe("transformer").model.to_bytes()
    history = []
    for _ in range(30):
        losses = {}
        nlp.update(examples, sgd=optimizer, losses=losses)
        history.append(losses["tagger"])
    assert history[-1] < 0.5 * history[0]
    assert nlp.get_pipe("transformer").model.to_bytes() != before


def test_copies_keep_settings_and_train_on_their_own(make_hero, english):
    hero = make_hero("bert", tokenizer_config={"model_max_length": 48}, precision="bfloat16")
    copied = hero.copy()
    assert type(copied) is type(hero)
    assert copied.attrs["get_spans"] is hero.attrs["get_spans"]
    assert copied.attrs == hero.attrs
    assert copied.get_dim("nO") == hero.get_dim("nO")
    assert copied.shim.settings == hero.shim.settings
    assert copied.shim.precision == "bfloat16"
    assert copied.shim.max_pieces == 48
    assert copied.shim.id != hero.shim.id
    assert copied.id != hero.id
    assert copied.transformer is copied.shim._model

    docs = [english(text) for text in TEXTS]
    before = vectors(hero, docs)
    assert_same(vectors(copied, docs), before)
    batch, backprop = copied.begin_update(docs)
    for data in batch.doc_data:
        data.model_output["last_hidden_state"] = numpy.ones_like(
            data.model_output.last_hidden_state
        ) * numpy.arange(32, dtype="f")
    backprop(batch.unsplit_by_doc([list(data.tensors) for data in batch.doc_data]))
    copied.finish_update(Adam(0.01))
    assert_same(vectors(hero, docs), before)
    assert numpy.abs(vectors(copied, docs)[0] - before[0]).max() > 1e-3


def test_an_uninitialized_hero_can_be_copied(make_hero, english):
    hero = make_hero("bert")
    bare = build_transformer_model(hero.attrs["name"], get_doc_spans, precision="float32")
    copied = bare.copy()
    copied.initialize()
    docs = [english(TEXTS[0])]
    assert_same(vectors(copied, docs), vectors(hero, docs))


def test_predict_never_turns_dropout_on(make_hero, english, monkeypatch):
    hero = make_hero("bert")
    docs = [english(text) for text in TEXTS]
    hero.begin_update(docs)
    assert hero.transformer.training
    expected = vectors(hero, docs)
    assert not any(module.training for module in hero.transformer.modules())

    switched_on = []
    train = torch.nn.Module.train

    def watched(module, mode=True):
        switched_on.append(mode)
        return train(module, mode)

    monkeypatch.setattr(torch.nn.Module, "train", watched)
    assert_same(vectors(hero, docs), expected)
    assert True not in switched_on


def test_two_threads_on_one_pipeline(hero_folders):
    nlp = make_pipeline(hero_folders["bert"])
    texts = [f"{text} {i}" for i in range(25) for text in TEXTS]
    expected = pipe_vectors(nlp, texts)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: pipe_vectors(nlp, texts), range(4)):
            assert_same(found, expected)
