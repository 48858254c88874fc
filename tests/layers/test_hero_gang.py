"""The Thinc layer over Gang and fusion: shapes, gradients, files, settings, threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
import srsly
import torch
from thinc.api import Adam, Model

from spacy_hgn.architectures import build_hero_gang_tok2vec
from spacy_hgn.layers import hero_gang as hero_gang_file
from spacy_hgn.layers.hero_gang import hero_gang, member_weights
from spacy_hgn.seal import seal, unseal

from . import oracle
from .oracle import FUSIONS, RECURRENCES

WIDTH = 4


def vectors(*lengths, width=WIDTH, seed=0):
    """Random arrays; a length of None gives an empty array without width, as a Hero's."""
    random = numpy.random.default_rng(seed)
    shapes = [(0, 0) if length is None else (length, width) for length in lengths]
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def make_layer(windows=(1, 3), recurrence="lstm", fusion="mlp", width=WIDTH):
    layer = hero_gang(windows, recurrence, fusion)
    layer.initialize(X=vectors(2, width=width))
    return layer


def assert_same(found, expected, **tolerance):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        numpy.testing.assert_allclose(ours, theirs, **tolerance)


# Shapes


@pytest.mark.parametrize("is_train", [False, True])
@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_one_array_a_text(recurrence, fusion, is_train):
    layer = make_layer(recurrence=recurrence, fusion=fusion)
    width_out = 3 * WIDTH if fusion == "concat" else WIDTH
    assert (layer.get_dim("nI"), layer.get_dim("nO")) == (WIDTH, width_out)
    inputs = vectors(None, 5, 0, 1, None)
    fused, backprop = layer(inputs, is_train)
    assert [f.shape for f in fused] == [(n, width_out) for n in (0, 5, 0, 1, 0)]
    assert {f.dtype for f in fused} == {numpy.dtype("float32")}
    if is_train:
        assert [d.shape for d in backprop(fused)] == [v.shape for v in inputs]


@pytest.mark.parametrize("is_train", [False, True])
@pytest.mark.parametrize("lengths", [(), (None,), (0, None, 0)], ids=str)
def test_batches_without_tokens(lengths, is_train):
    layer = make_layer(fusion="concat")
    fused, backprop = layer(vectors(*lengths), is_train)
    assert [f.shape for f in fused] == [(0, 3 * WIDTH)] * len(lengths)
    if is_train:
        assert [len(g) for g in backprop(fused)] == [0] * len(lengths)


def test_empty_texts_change_nothing():
    layer = make_layer()
    first, second = vectors(3, 2)
    empty, bare = vectors(0, None)
    assert_same(
        [f for f in layer.predict([empty, first, bare, second, empty]) if len(f)],
        layer.predict([first, second]),
        atol=1e-6,
    )


@pytest.mark.parametrize("lengths", [(None, 3), (None,), (0,)], ids=str)
def test_dropout_before_the_layer_takes_its_gradient(lengths):
    hero = Model("hero", lambda model, X, is_train: (X, lambda d: d))
    tok2vec = build_hero_gang_tok2vec(hero, [3], "lstm", "concat", dropout=0.5)
    tok2vec.initialize(X=vectors(2))
    X = vectors(*lengths)
    fused, backprop = tok2vec.begin_update(X)
    assert [len(g) for g in backprop(fused)] == [len(x) for x in X]


def test_initialize_needs_a_width():
    with pytest.raises(ValueError, match="non-empty Docs"):
        hero_gang([3], "lstm", "mlp").initialize(X=vectors(None))


# Gradients


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_gradients_of_the_inputs_equal_finite_differences(recurrence, fusion):
    layer = make_layer([1, 3], recurrence, fusion)
    X = vectors(2, None, 3, seed=1)
    fused, backprop = layer.begin_update(X)
    upstream = [numpy.cos(numpy.arange(f.size, dtype="f")).reshape(f.shape) for f in fused]
    gradients = backprop(upstream)

    def loss():
        return sum(float((f * u).sum()) for f, u in zip(layer.predict(X), upstream))

    step = 1e-2  # large, for the layer computes in float32
    for x, gradient in zip(X, gradients):
        for place in numpy.ndindex(*x.shape):
            kept = x[place]
            x[place] = kept + step
            above = loss()
            x[place] = kept - step
            below = loss()
            x[place] = kept
            assert gradient[place] == pytest.approx((above - below) / (2 * step), abs=5e-3)


def test_an_optimizer_changes_the_weights():
    layer = make_layer()
    X = vectors(3)
    before = layer.predict(X)[0].copy()
    fused, backprop = layer.begin_update(X)
    backprop(fused)
    layer.finish_update(Adam(0.01))
    assert abs(layer.predict(X)[0] - before).max() > 1e-4


# Files and copies


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_a_layer_that_was_never_initialized_loads_weights(recurrence, fusion):
    layer = make_layer(recurrence=recurrence, fusion=fusion)
    other = hero_gang((1, 3), recurrence, fusion).from_bytes(layer.to_bytes())
    assert (other.get_dim("nI"), other.get_dim("nO")) == (WIDTH, layer.get_dim("nO"))
    X = vectors(3, None, 2)
    assert_same(other.predict(X), layer.predict(X), atol=0)


def test_a_layer_without_weights_can_be_stored_too():
    other = hero_gang([3], "lstm", "mlp").from_bytes(hero_gang([3], "lstm", "mlp").to_bytes())
    other.initialize(X=vectors(2))
    assert other.predict(vectors(2))[0].shape == (2, WIDTH)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (([1, 5], "lstm", "mlp"), r"windows = \[1, 3\], but the config says windows = \[1, 5\]"),
        (([3, 1], "lstm", "mlp"), r"windows = \[1, 3\], but the config says windows = \[3, 1\]"),
        (([1, 3], "gru", "mlp"), "recurrence = 'lstm', but the config says recurrence = 'gru'"),
        (([1, 3], "lstm", "dot"), "fusion = 'mlp', but the config says fusion = 'dot'"),
    ],
    ids=str,
)
def test_weights_for_other_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        hero_gang(*settings).from_bytes(make_layer().to_bytes())


def stored_weights(layer):
    return srsly.msgpack_loads(layer.shims[0].to_bytes())["weights"]


def load_weights(layer, weights):
    message = srsly.msgpack_loads(layer.shims[0].to_bytes())
    layer.shims[0].from_bytes(srsly.msgpack_dumps({**message, "weights": weights}))


def test_truncated_weights_are_refused():
    layer = make_layer()
    weights = stored_weights(layer)
    for length in (1, 7, 8, 100, len(weights) // 2, len(weights) - 1):
        with pytest.raises(ValueError, match="weights of hero_gang"):
            load_weights(layer, weights[:length])


def test_weights_with_a_changed_header_are_refused():
    layer = make_layer([3])
    weights = stored_weights(layer)
    header = 8 + int.from_bytes(weights[:8], "little")
    for place in [*range(8), *range(8, header, 7)]:
        if weights[place : place + 1] == b" ":
            continue  # the padding
        damaged = bytearray(weights)
        damaged[place] ^= 0x10
        with pytest.raises(ValueError, match=r"the weights of|belong to another"):
            load_weights(layer, bytes(damaged))


def test_the_seal_tells_every_changed_byte():
    """safetensors has no checksum over the numbers; the component seals the model's bytes."""
    sealed = seal(make_layer([3]).to_bytes())
    for place in range(0, len(sealed), 97):
        damaged = bytearray(sealed)
        damaged[place] ^= 1
        with pytest.raises(ValueError, match="model"):
            unseal(bytes(damaged), "model")
    with pytest.raises(ValueError, match="damaged"):
        unseal(sealed[:-1], "model")


def test_weights_of_another_width_are_refused():
    with pytest.raises(ValueError, match="belong to another hero_gang"):
        load_weights(make_layer(width=6), stored_weights(make_layer(width=WIDTH)))


def test_a_copy_is_a_layer_of_its_own():
    layer = make_layer()
    copied = layer.copy()
    assert copied.shims[0].id != layer.shims[0].id
    X = vectors(3)
    before = layer.predict(X)
    assert_same(copied.predict(X), before, atol=0)
    fused, backprop = copied.begin_update(X)
    backprop(fused)
    copied.finish_update(Adam(0.01))
    assert_same(layer.predict(X), before, atol=0)
    assert abs(copied.predict(X)[0] - before[0]).max() > 1e-4


# Settings


@pytest.mark.parametrize(
    "windows", [5, None, [4], [3, 3], [-1], [0], [True], [3.0], ["5"], "5", [None], [[3]]], ids=repr
)
def test_windows_are_odd_whole_numbers_each_once(windows):
    with pytest.raises(ValueError, match=r"windows: expected a list of odd whole numbers.* got "):
        hero_gang(windows, "lstm", "mlp")


def test_unknown_units_are_refused():
    with pytest.raises(ValueError, match=r"recurrence: .*lstm, gru, rnn, cnn, mlp.*'LSTM'"):
        hero_gang([3], "LSTM", "mlp")
    with pytest.raises(ValueError, match=r"fusion: .*mlp, dot, concat, add.*'sum'"):
        hero_gang([3], "lstm", "sum")


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_an_odd_width_suits_units_without_directions(recurrence):
    layer = hero_gang([3], recurrence, "mlp")
    if recurrence in ("mlp", "cnn"):
        layer.initialize(X=vectors(2, width=5))
        assert layer.predict(vectors(2, width=5))[0].shape == (2, 5)
    else:
        with pytest.raises(ValueError, match=r"even width, got 5.*recurrence = 'mlp' or 'cnn'"):
            layer.initialize(X=vectors(2, width=5))


# Threads


def test_two_threads_get_the_answers_of_one():
    layer = make_layer([1, 3, 5], width=8)
    batches = [vectors(7, None, 3, n % 5, width=8, seed=n) for n in range(60)]
    expected = [layer.predict(X) for X in batches]
    layer.begin_update(batches[0])  # leaves the module in training
    with ThreadPoolExecutor(2) as threads:
        for found, alone in zip(threads.map(layer.predict, batches), expected):
            assert_same(found, alone, atol=1e-6)


# Weights of windows and Hero


@pytest.mark.parametrize("fusion", ["mlp", "dot"])
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_weights_of_texts_equal_the_oracle(recurrence, fusion):
    layer = make_layer([1, 5], recurrence, fusion)
    X = vectors(3, None, 0, 9)
    parameters = oracle.parameters_of(layer.shims[0]._model)
    z = numpy.concatenate([X[0], X[3]]).astype("float64")
    h = oracle.gang(z, [3, 9], oracle.part_of(parameters, "gang"), [1, 5], recurrence)
    expected = oracle.member_weights(z, h, oracle.part_of(parameters, "fusion"), fusion)
    found = member_weights(layer).predict(X)
    assert [f.shape for f in found] == [(3, 3), (0, 3), (0, 3), (9, 3)]
    numpy.testing.assert_allclose(numpy.concatenate(found), expected, atol=1e-5)


@pytest.mark.parametrize("fusion", ["mlp", "dot"])
def test_weights_are_those_that_prediction_uses(fusion, monkeypatch):
    """Also in blocks, in the layer's precision, and after training has gone before."""
    layer = make_layer([1, 5], "lstm", fusion)
    X = vectors(3, 9)
    whole = member_weights(layer).predict(X)
    layer.begin_update(X)
    monkeypatch.setattr(hero_gang_file, "BLOCK_TOKENS", 2)
    assert_same(member_weights(layer).predict(X), whole, atol=1e-6)
    rough = hero_gang([1, 5], "lstm", fusion, precision="bfloat16").from_bytes(layer.to_bytes())
    nearly = member_weights(rough).predict(X)
    assert {weights.dtype for weights in nearly} == {numpy.dtype("float32")}
    assert any((n != w).any() for n, w in zip(nearly, whole))
    assert_same(nearly, whole, atol=0.02)


# Precision


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_bfloat16_predicts_nearly_the_same_in_float32_arrays(recurrence, fusion):
    exact = make_layer(recurrence=recurrence, fusion=fusion)
    rough = hero_gang([1, 3], recurrence, fusion, precision="bfloat16")
    rough.from_bytes(exact.to_bytes())
    inputs = vectors(5, 1, 7)
    found, expected = rough.predict(inputs), exact.predict(inputs)
    assert {f.dtype for f in found} == {numpy.dtype("float32")}
    assert any((f != e).any() for f, e in zip(found, expected))
    assert_same(found, expected, atol=0.05, rtol=0.05)


def test_trains_in_its_precision():
    exact, rough = make_layer(), hero_gang([1, 3], "lstm", "mlp", precision="bfloat16")
    rough.from_bytes(exact.to_bytes())
    inputs = vectors(5, 1, 7)
    weights = []
    for layer in (exact, rough):
        outputs, backprop = layer.begin_update(inputs)
        d_inputs = backprop([numpy.ones_like(output) for output in outputs])
        module = layer.shims[0]._model
        assert all(p.dtype == p.grad.dtype == torch.float32 for p in module.parameters())
        weights.append([*outputs, *d_inputs, *(p.grad.numpy() for p in module.parameters())])
    assert not all(numpy.array_equal(left, right) for left, right in zip(*weights))
    for left, right in zip(*weights):
        assert left.dtype == right.dtype == "float32"
        numpy.testing.assert_allclose(left, right, rtol=0.05, atol=0.02 * abs(left).max())


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="Unknown precision: expected one of auto, float32"):
        hero_gang([3], "lstm", "mlp", precision="float16")
