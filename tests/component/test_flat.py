"""All tokens of a batch in one array, from the Hero's rows to the tags."""

from collections import Counter

import numpy
import pytest
import torch
from spacy import registry
from spacy.tokens import Doc
from spacy.training import Example
from spacy_transformers.data_classes import TransformerData
from thinc.api import Adam, Linear, Model, chain, fix_random_seed, reduce_mean
from thinc.types import Ragged
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.utils import ModelOutput

from spacy_hgn.hero import token_vectors
from spacy_hgn.hero.token_rows import HeroRows

from .helpers import (
    LISTENER,
    MIXED,
    TEXTS,
    assert_same,
    changed,
    gradients_of,
    make_examples,
    make_hero_nlp,
    probabilities,
    step_gradients,
    train,
    weights_of,
)


@pytest.fixture
def listening_nlp(tiny_bert):
    """An untrained pipeline of a Hero and hgn_ner, without dropout and in float32."""
    nlp = make_hero_nlp(tiny_bert, dropout=0.0, precision="float32")
    train(nlp, steps=0)
    return nlp


def without_rows(monkeypatch):
    """Have the vectors taken from spacy-transformers' own layer, a Doc at a time."""
    monkeypatch.setattr(token_vectors, "find_rows", lambda *args: None)


# Docs from anywhere


def test_docs_of_several_batches_twice_and_empty_give_what_one_alone_gives(tiny_nlp):
    hero, ner = tiny_nlp.get_pipe("transformer"), tiny_nlp.get_pipe("hgn_ner")
    first, second = (list(hero.pipe(map(tiny_nlp.make_doc, MIXED))) for _ in range(2))
    mixed = [first[8], second[0], first[4], first[0], second[8], first[0], second[5], first[3]]
    alone = [ner.predict([doc])[0] for doc in mixed]
    assert [len(array) for array in alone] == list(map(len, mixed))
    assert_same(ner.predict(mixed), alone)


def test_vectors_that_were_stored_give_the_same(tiny_nlp):
    ner = tiny_nlp.get_pipe("hgn_ner")
    docs = list(tiny_nlp.pipe(MIXED))
    expected = ner.predict(docs)
    for doc in docs[::2]:
        doc._.trf_data = TransformerData.empty().from_bytes(doc._.trf_data.to_bytes())
    assert_same(ner.predict(docs), expected)


def ones(data):
    data.model_output["last_hidden_state"] = data.model_output["last_hidden_state"] * 0 + 1


def other_output(data):
    hidden = data.model_output["last_hidden_state"]
    data.model_output = ModelOutput(last_hidden_state=hidden * 0 + 1)


def other_places(data):
    data.align = Ragged(data.align.dataXd[::-1].copy(), data.align.lengths[::-1].copy())


@pytest.mark.parametrize("change", [ones, other_output, other_places])
def test_vectors_that_a_component_has_replaced_are_read(tiny_nlp, monkeypatch, change):
    hero, ner = tiny_nlp.get_pipe("transformer"), tiny_nlp.get_pipe("hgn_ner")
    docs = list(hero.pipe(map(tiny_nlp.make_doc, TEXTS)))
    before = ner.predict(docs)
    for doc in docs:
        change(doc._.trf_data)
    found = ner.predict(docs)
    assert not numpy.allclose(found[0], before[0], atol=1e-3)
    without_rows(monkeypatch)
    assert_same(found, ner.predict(docs))


@pytest.mark.parametrize("pooling", ["reduce_first.v1", "reduce_mean.v1", "reduce_max.v1"])
def test_rows_say_what_spacy_transformers_says(tiny_bert, monkeypatch, pooling):
    listener = {**LISTENER, "pooling": {"@layers": pooling}, "grad_factor": 0.5}
    nlp = make_hero_nlp(tiny_bert, tok2vec=listener, dropout=0.0, precision="float32")
    examples = [*make_examples(nlp), Example(nlp.make_doc(""), nlp.make_doc(""))]
    nlp.initialize(lambda: examples)
    found = []
    for _ in range(2):
        nlp.update(examples, sgd=False)
        gradients = step_gradients(nlp)
        found.append([*probabilities(nlp, MIXED), *gradients.values()])
        without_rows(monkeypatch)
    assert any(array.any() for array in found[0][len(MIXED) :])
    assert_same(*found)


def test_probabilities_are_views_of_one_array_on_the_host(tiny_nlp):
    found = probabilities(tiny_nlp, MIXED)
    bases = {id(array.base) for array in found}
    assert len(bases) == 1
    assert all(type(array) is numpy.ndarray for array in found)


# Training


def test_the_gradient_of_a_frozen_hero_is_not_computed(listening_nlp, monkeypatch):
    seen = []
    learn = HeroRows.learn

    def see(rows):
        z, _ = learn(rows)
        seen.append(z)
        return z, lambda d_z: pytest.fail("the way back to a frozen Hero")

    monkeypatch.setattr(HeroRows, "learn", see)
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    before = weights_of(listening_nlp.get_pipe("hgn_ner").model)
    listening_nlp.update(make_examples(listening_nlp), sgd=Adam(0.01), **frozen)
    assert [z.requires_grad for z in seen] == [False]
    after = weights_of(listening_nlp.get_pipe("hgn_ner").model)
    assert changed(before, after)


@registry.layers("tests.learnt_pooling.v1")
def learnt_pooling():
    return chain(with_ragged_rows(), reduce_mean())


def with_ragged_rows():
    linear = Linear(32, 32)
    linear.initialize()

    def forward(model, pieces, is_train):
        rows, backprop = linear(pieces.dataXd, is_train)
        return Ragged(rows, pieces.lengths), lambda d: Ragged(backprop(d.dataXd), d.lengths)

    return Model("rows", forward, layers=[linear])


def test_a_pooling_with_weights_learns_over_a_frozen_hero(tiny_bert):
    listener = {**LISTENER, "pooling": {"@layers": "tests.learnt_pooling.v1"}}
    nlp = make_hero_nlp(tiny_bert, tok2vec=listener)
    train(nlp, steps=0)
    hero, ner = nlp.get_pipe("transformer"), nlp.get_pipe("hgn_ner")
    examples = make_examples(nlp)
    for example in examples:
        hero(example.predicted)
    loss = ner.update(examples)["hgn_ner"]
    (linear,) = [node for node in ner.model.walk() if node.name == "linear"]
    assert linear.get_grad("W").any()
    once = step_gradients(nlp)
    assert ner.update(4 * examples)["hgn_ner"] == pytest.approx(loss, rel=1e-4)
    often = step_gradients(nlp)  # the mean, not divided twice and not by earlier steps' tokens
    assert_same(list(often.values()), list(once.values()))
    assert hero.model.shim.step_size.tokens is None


def test_docs_that_were_retokenized_are_refused_in_training(listening_nlp):
    hero, ner = listening_nlp.get_pipe("transformer"), listening_nlp.get_pipe("hgn_ner")
    examples = make_examples(listening_nlp)
    for example in examples:
        hero(example.predicted)
    merged, parted = examples[0].predicted, examples[1].predicted
    with merged.retokenize() as retokenizer:
        retokenizer.merge(merged[0:2])
    with parted.retokenize() as retokenizer:
        retokenizer.split(parted[0], ["Ang", "ela"], [(parted[0], 0), (parted[0], 1)])
    with pytest.raises(ValueError, match="tokens were merged or split"):
        ner.update([Example(each.predicted, each.reference) for each in examples])


def test_a_loss_that_is_no_number_lays_no_gradient(listening_nlp):
    hero, ner = listening_nlp.get_pipe("transformer"), listening_nlp.get_pipe("hgn_ner")
    examples = make_examples(listening_nlp)
    for example in examples:
        hero(example.predicted)
        example.predicted._.trf_data.model_output["last_hidden_state"][:] = numpy.nan
    with pytest.raises(ValueError, match="E910"):
        ner.update(examples)
    assert not gradients_of(ner.model)


def test_an_update_draws_from_torchs_generator_alone(tiny_bert):
    def train_once(seed, torch_seed):
        fix_random_seed(0)
        nlp = make_hero_nlp(tiny_bert)
        train(nlp, steps=0)
        fix_random_seed(seed)
        torch.manual_seed(torch_seed)
        nlp.update(make_examples(nlp), sgd=Adam(0.01), drop=0.5)
        return weights_of(nlp.get_pipe("hgn_ner").model)

    first, same, other = train_once(0, 7), train_once(1, 7), train_once(0, 8)
    assert not changed(first, same)
    assert changed(first, other)


def test_get_loss_says_what_update_learns(listening_nlp):
    ner = listening_nlp.get_pipe("hgn_ner")
    examples = make_examples(listening_nlp)
    for example in examples:
        listening_nlp.get_pipe("transformer")(example.predicted)
    scores = ner.predict([example.predicted for example in examples])
    loss, gradients = ner.get_loss(examples, scores)
    assert [g.shape for g in gradients] == [s.shape for s in scores]
    assert ner.update(examples)["hgn_ner"] == pytest.approx(loss, rel=1e-5)
    bias = step_gradients(listening_nlp)["hgn_ner 1 hero_gang classifier.bias"]
    numpy.testing.assert_allclose(bias, numpy.concatenate(gradients).sum(axis=0), atol=1e-5)


# Calls of torch's operators


class Counting(TorchDispatchMode):
    """Counts the calls of torch's operators, on the way back too."""

    def __init__(self):
        super().__init__()
        self.calls = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls[str(func)] += 1
        return func(*args, **(kwargs or {}))


def counted(call):
    with Counting() as counting:
        call()
    return counting.calls


def docs_of_one_length(nlp, count):
    words = " ".join(TEXTS).split()[:9]
    docs = [Doc(nlp.vocab, words=words) for _ in range(count)]
    nlp.get_pipe("transformer").set_annotations(docs, nlp.get_pipe("transformer").predict(docs))
    return docs


def test_more_docs_take_no_more_operators_in_prediction(listening_nlp):
    ner = listening_nlp.get_pipe("hgn_ner")
    few, many = (docs_of_one_length(listening_nlp, count) for count in (8, 64))
    calls = counted(lambda: ner.predict(few))
    assert calls == counted(lambda: ner.predict(many))
    assert calls["aten.embedding.default"] == 1


@pytest.mark.parametrize("is_frozen", [True, False])
def test_more_docs_take_no_more_operators_in_an_update(listening_nlp, is_frozen):
    ner = listening_nlp.get_pipe("hgn_ner")
    listener = ner.model.get_ref("tok2vec").layers[0]

    def update(count):
        docs = docs_of_one_length(listening_nlp, count)
        tags = ["B-PERSON", "I-PERSON", *["O"] * 7]
        gold = [Doc(doc.vocab, words=[t.text for t in doc], ents=tags) for doc in docs]
        examples = list(map(Example, docs, gold))
        if not is_frozen:
            datas = [doc._.trf_data for doc in docs]
            listener.receive(listener.get_batch_id(docs), datas, lambda d_datas: None)
        return counted(lambda: ner.update(examples))

    update(1)  # from now on gradients are added to gradients
    few, many = update(8), update(64)
    assert few == many
    assert few["aten.embedding_dense_backward.default"] == (0 if is_frozen else 1)
    assert few["aten._local_scalar_dense.default"] == 1  # one wait for the device
