"""Only the last layers of a Hero learn; those below read each sequence once."""

import pytest
import torch
from spacy_transformers.span_getters import get_doc_spans
from thinc.api import Adam, Softmax, chain, fix_random_seed, reduce_first, with_array

from spacy_hgn.architectures import build_tok2vec_transformer, build_transformer_model
from spacy_hgn.hero.frozen.upper_layers import find_stack

from .helpers import ARCHITECTURES, token_vectors, vectors

STACKS = [name for name in ARCHITECTURES if name != "xlnet"]
TEXTS = ["Apple hired Tim Cook \u200b in 1998", "London", "", "we like\nrain in Berlin"]


def build(folder, trained_layers):
    fix_random_seed(0)
    hero = build_tok2vec_transformer(
        folder, get_doc_spans, reduce_first(), precision="float32", trained_layers=trained_layers
    )
    return chain(hero, with_array(Softmax(2))), hero.layers[0].layers[0]


def learn(model, docs, steps):
    gold = [
        model.ops.asarray2f([[token.is_title, not token.is_title] for token in doc] or [[0, 0]][:0])
        for doc in docs
    ]
    optimizer, losses = Adam(0.003), []
    for _ in range(steps):
        predicted, backprop = model.begin_update(docs)
        errors = [array - answer for array, answer in zip(predicted, gold, strict=True)]
        losses.append(sum(float((error**2).sum()) for error in errors))
        backprop(errors)
        model.finish_update(optimizer)
    return losses


@pytest.mark.parametrize("name", STACKS)
def test_the_last_layer_alone_learns(name, hero_folders, english):
    docs = [english(text) for text in TEXTS[:2] + TEXTS[3:]]
    model, hero = build(hero_folders[name], 1)
    model.initialize(X=docs[:2])
    before = {key: value.clone() for key, value in hero.transformer.named_parameters()}
    losses = learn(model, docs, 25)
    assert losses[-1] < 0.7 * losses[0]
    last = {id(weights) for weights in find_stack(hero.transformer)[-1].parameters()}
    for key, weights in hero.transformer.named_parameters():
        assert torch.equal(weights, before[key]) != (id(weights) in last) or not weights.any(), key


@pytest.mark.parametrize("name", STACKS)
def test_without_dropout_they_give_what_the_whole_hero_gives(name, hero_folders, english):
    docs = [english(text) for text in TEXTS]
    rates = ("hidden_dropout_prob", "attention_probs_dropout_prob")
    hero = build_transformer_model(
        hero_folders[name],
        get_doc_spans,
        transformer_config=dict.fromkeys(rates, 0.0),
        precision="float32",
        trained_layers=1,
    )
    hero.initialize(X=docs)
    for batch in (docs, docs[::-1], docs[1:]):  # the first time they are made, then they are kept
        found = token_vectors(hero(batch, is_train=True)[0].doc_data)
        for array, expected in zip(found, vectors(hero, batch), strict=True):
            assert abs(array - expected).max(initial=0) < 0.02 * abs(expected).max(initial=1)
    assert len(hero.shim._upper.kept) == sum(bool(len(doc)) for doc in docs)


@pytest.mark.parametrize("trained", [0, -1, 1.5, True, "all"])
def test_impossible_settings_are_refused(trained, hero_folders):
    with pytest.raises(ValueError, match="trained_layers: expected a whole number"):
        build(hero_folders["bert"], trained)


def test_more_layers_than_there_are_is_an_error(hero_folders, english):
    model, hero = build(hero_folders["bert"], 99)
    docs = [english("London")]
    model.initialize(X=docs)
    with pytest.raises(ValueError, match="expected a number up to 2"):
        hero(docs, is_train=True)


def test_a_hero_without_a_list_of_layers_is_refused(hero_folders, english):
    model, hero = build(hero_folders["xlnet"], 1)
    docs = [english("London")]
    model.initialize(X=docs)
    with pytest.raises(ValueError, match="isn't a plain stack of layers"):
        hero(docs, is_train=True)
