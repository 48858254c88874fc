"""Several heads over one Hero: what they say together, and what each learns."""

import numpy
import pytest
import torch
from thinc.api import Adam, noop

from spacy_hgn.architectures import build_hero_gang_tagger
from spacy_hgn.tagger.committee import Committee
from spacy_hgn.tagger.flat import SumGradient, ask_module, learn, shim_of
from spacy_hgn.tagger.hero_gang import HeroGang

from .test_hero_gang import WIDTH, assert_same, vectors

MEMBERS, TAGS = 3, 5


def make_committee(members=MEMBERS, **settings):
    settings = {
        "windows": [1, 3],
        "fusion": "dot",
        "dropout": 0.0,
        "precision": "float32",
    } | settings
    layer = build_hero_gang_tagger(noop(), members=members, **settings)
    layer.initialize(X=vectors(2), Y=[numpy.zeros((2, TAGS), dtype="f")])
    return layer


def committee_of(layer):
    return shim_of(layer.get_ref("flat"))._model


def alone(layer, member):
    """A tagger that is one of the members."""
    single = make_committee(1)
    head = committee_of(single)
    head.load_state_dict(committee_of(layer).heads[member].state_dict())
    return single


def gold_gradient(output):
    """Of logits: every token has tag 1."""
    gradient = torch.from_numpy(output.dataXd.copy())
    gradient[:, 1] -= 1
    return gradient


def take_step(layer, X):
    """A step of training; returns the gradients that its weights then have."""
    flat = layer.get_ref("flat")
    output, backprop = learn(flat, X)
    backprop(SumGradient(gold_gradient(output), output.lengths, len(output.dataXd)))
    return flat


def gradients(head):
    return {name: weights.grad.clone() for name, weights in head.named_parameters()}


def test_predictions_are_the_mean_of_the_members():
    layer = make_committee()
    X = vectors(5, None, 1, 4)
    members = [alone(layer, i).predict(X) for i in range(MEMBERS)]
    expected = [numpy.mean(arrays, axis=0) for arrays in zip(*members)]
    assert_same(layer.predict(X), expected, atol=1e-6)
    numpy.testing.assert_allclose(numpy.concatenate(layer.predict(X)).sum(axis=1), 1, atol=1e-6)


def test_members_begin_with_different_weights():
    first, second, third = committee_of(make_committee()).heads
    for name, weights in first.named_parameters():
        others = [dict(head.named_parameters())[name] for head in (second, third)]
        if weights.any():  # what begins with zeros is the same in all
            assert not any(torch.equal(weights, other) for other in others), name


def test_each_members_gradient_is_its_own_over_the_number_of_members():
    layer = make_committee()
    X = vectors(5, None, 2)
    singles = [alone(layer, i) for i in range(MEMBERS)]
    take_step(layer, X)
    tokens = 7
    for head, single in zip(committee_of(layer).heads, singles):
        take_step(single, X)
        expected = gradients(committee_of(single))
        found = gradients(head)
        assert found.keys() == expected.keys()
        for name, gradient in found.items():
            mean, own_mean = gradient / (MEMBERS * tokens), expected[name] / tokens
            numpy.testing.assert_allclose(mean, own_mean / MEMBERS, atol=1e-6, err_msg=name)


def test_the_optimizer_is_given_these_means():
    layer = make_committee()
    X = vectors(5, 2)
    single = alone(layer, 1)
    found, expected = {}, {}
    for each, into in ((layer, found), (single, expected)):
        take_step(each, X).finish_update(recorder(into))
    for name, gradient in expected.items():
        of_member = found[f"members.1.{name}"]
        numpy.testing.assert_allclose(of_member, gradient / MEMBERS, atol=1e-6, err_msg=name)


def recorder(into):
    def record(key, weights, gradient):
        into[key[1]] = gradient.copy()
        return weights, gradient

    return record


def test_every_member_learns():
    layer = make_committee()
    X = vectors(6, 4)
    before = [alone(layer, i).predict(X) for i in range(MEMBERS)]
    optimizer = Adam(0.01)
    for _ in range(60):
        take_step(layer, X)
        layer.finish_update(optimizer)
    for i in range(MEMBERS):
        after = alone(layer, i).predict(X)
        gold = [numpy.concatenate(arrays)[:, 1].mean() for arrays in (before[i], after)]
        assert gold[1] > gold[0] + 0.3


def test_members_draw_their_own_dropout():
    layer = make_committee(dropout=0.5)
    heads = committee_of(layer).heads
    for head in heads[1:]:
        head.load_state_dict(heads[0].state_dict())
    output, _ = learn(layer.get_ref("flat"), vectors(9))
    first, second, third = output.dataXd.reshape(MEMBERS, 9, TAGS)
    assert numpy.abs(first - second).max() > 1e-3
    assert numpy.abs(first - third).max() > 1e-3


def test_the_way_back_to_the_vectors_is_the_sum_over_members():
    layer = make_committee()
    X = vectors(4, None, 2)
    singles = [alone(layer, i) for i in range(MEMBERS)]

    def d_vectors(each):
        output, backprop = learn(each.get_ref("flat"), X)
        gradient = gold_gradient(output)
        return backprop(SumGradient(gradient, output.lengths, len(gradient)))

    own = [d_vectors(single) for single in singles]
    expected = [sum(arrays) for arrays in zip(*own)]
    for found, array in zip(d_vectors(layer), expected):
        numpy.testing.assert_allclose(found, array, atol=1e-5)


def test_batches_without_tokens():
    layer = make_committee()
    assert [len(array) for array in layer.predict(vectors(None, 0))] == [0, 0]
    output, backprop = learn(layer.get_ref("flat"), vectors(None, 0))
    assert len(output.dataXd) == 0
    assert backprop(output) is not None


def test_more_tags_for_all_members():
    layer = make_committee()
    X = vectors(3)
    before = layer.predict(X)[0]
    committee_of(layer).resize(TAGS + 2)
    layer.get_ref("flat").set_dim("nO", TAGS + 2, force=True)
    (after,) = layer.predict(X)
    assert after.shape == (3, TAGS + 2)
    shares = after[:, :TAGS] / after[:, :TAGS].sum(axis=1, keepdims=True)
    assert numpy.abs(shares - before).max() < 0.2
    assert {head.tags for head in committee_of(layer).heads} == {TAGS + 2}


def test_weights_and_shares_are_means():
    layer = make_committee()
    X = vectors(3, 4)
    for method, width in (("weights", 2), ("shares", 1)):
        found = ask_module(layer.get_ref("flat"), X, method, width).dataXd
        members = [
            ask_module(alone(layer, i).get_ref("flat"), X, method, width).dataXd
            for i in range(MEMBERS)
        ]
        numpy.testing.assert_allclose(found, numpy.mean(members, axis=0), atol=1e-6)


def test_windows_of_all_members_can_be_silenced():
    layer = make_committee()
    X = vectors(5)
    before = layer.predict(X)[0]
    module = committee_of(layer)
    with module.silencing(), module.recording_shares() as recorded:
        silenced = layer.predict(X)[0]
    assert numpy.abs(silenced - before).max() > 1e-4
    assert len(recorded) == 1
    assert_same(layer.predict(X), [before], atol=0)


def test_round_trip():
    layer = make_committee()
    other = build_hero_gang_tagger(
        noop(), [1, 3], fusion="dot", members=MEMBERS, precision="float32"
    ).from_bytes(layer.to_bytes())
    X = vectors(3, None, 2)
    assert_same(other.predict(X), layer.predict(X), atol=0)
    with pytest.raises(ValueError, match=r"members = 3, but the config says members = 2"):
        make_committee(2).from_bytes(layer.to_bytes())


@pytest.mark.parametrize("members", [0, -1, 1.5, True, "3"])
def test_a_number_of_members_is_a_whole_one(members):
    with pytest.raises(ValueError, match="members"):
        make_committee(members)


def test_members_mix_layers_each_on_its_own():
    heads = [HeroGang(WIDTH, [3], "lstm", "add", tags=2) for _ in range(2)]
    committee = Committee(heads)
    committee.fit_layers(4)
    assert committee.layers == 4
    assert heads[0].mix is not heads[1].mix
    z = torch.randn(5, 4, WIDTH)
    expected = torch.stack([head.predict(z, [5]) for head in heads]).mean(dim=0)
    assert torch.allclose(committee.predict(z, [5]), expected)


def test_bfloat16_predicts_nearly_the_same():
    exact = make_committee(feed_forward=2, normalize=True)
    rough = make_committee(feed_forward=2, normalize=True, precision="bfloat16")
    rough.from_bytes(exact.to_bytes())
    X = vectors(5, 3)
    found, expected = rough.predict(X), exact.predict(X)
    assert any((f != e).any() for f, e in zip(found, expected))
    assert_same(found, expected, atol=0.03)
