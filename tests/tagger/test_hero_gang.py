"""The Thinc layer over Gang, fusion and classifier: shapes, gradients, files, settings, threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
import srsly
import torch
from thinc.api import Adam, fix_random_seed, noop

from spacy_hgn.architectures import build_hero_gang_tagger, build_hero_gang_tok2vec
from spacy_hgn.tagger.flat import BLOCK_TOKENS, ask_module, shim_of
from spacy_hgn.util.seal import seal, unseal

from . import oracle
from .oracle import FUSIONS, RECURRENCES

WIDTH = 4


def vectors(*lengths, width=WIDTH, seed=0):
    """Random arrays; a length of None gives an empty array without width, as a Hero's."""
    random = numpy.random.default_rng(seed)
    shapes = [(0, 0) if length is None else (length, width) for length in lengths]
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def hero_gang(windows, recurrence, fusion, precision="float32", dropout=0.0):
    """The layer over vectors in the place of Docs."""
    return build_hero_gang_tok2vec(
        noop(), windows, recurrence, fusion, dropout=dropout, precision=precision
    )


def make_layer(windows=(1, 3), recurrence="lstm", fusion="mlp", width=WIDTH, **settings):
    layer = hero_gang(windows, recurrence, fusion, **settings)
    layer.initialize(X=vectors(2, width=width))
    return layer


def make_tagger(windows=(1, 3), tags=5, **settings):
    layer = build_hero_gang_tagger(noop(), windows, **{"dropout": 0.0, **settings})
    layer.initialize(X=vectors(2), Y=[numpy.zeros((2, tags), dtype="f")])
    return layer


def shim(layer):
    return shim_of(layer.layers[0])  # Thinc copies no references


def member_weights(layer, X):
    flat = layer.get_ref("flat")
    found = ask_module(flat, X, "weights", len(shim(layer).cfg["windows"]) + 1)
    return layer.ops.unflatten(found.dataXd, found.lengths)


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
    assert (layer.get_ref("flat").get_dim("nI"), layer.get_dim("nO")) == (WIDTH, width_out)
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


def test_a_taggers_rows_are_probabilities():
    tagger = make_tagger()
    found = tagger.predict(vectors(None, 5, 1))
    assert [f.shape for f in found] == [(0, 5), (5, 5), (1, 5)]
    numpy.testing.assert_allclose(numpy.concatenate(found).sum(axis=1), 1, atol=1e-6)
    assert_same(tagger.begin_update(vectors(None, 5, 1))[0], found, atol=1e-6)


def test_without_windows_the_vectors_stay_as_they_are():
    layer = make_layer(windows=[])
    X = vectors(3, None, 2)
    assert_same([f for f in layer.predict(X) if len(f)], [X[0], X[2]], atol=0)
    fused, backprop = layer.begin_update(X)
    assert_same(backprop(fused)[::2], [X[0], X[2]], atol=0)


# Dropout


@pytest.mark.parametrize("lengths", [(None, 3), (None,), (0,)], ids=str)
def test_dropout_takes_its_gradient(lengths):
    layer = make_layer([3], fusion="concat", dropout=0.5)
    X = vectors(*lengths)
    fused, backprop = layer.begin_update(X)
    assert [len(g) for g in backprop(fused)] == [len(x) for x in X]


def test_dropout_is_that_of_its_rate_and_scales():
    layer = make_layer(windows=[], dropout=0.25)
    X = [numpy.ones((400, WIDTH), dtype="f")]
    (fused,), backprop = layer.begin_update(X)
    assert set(numpy.unique(fused)) == {0, numpy.float32(4 / 3)}
    assert (fused == 0).mean() == pytest.approx(0.25, abs=0.04)
    assert_same(backprop(X), [fused], atol=0)
    assert_same(layer.predict(X), X, atol=0)


def test_dropout_draws_from_torchs_generator_alone():
    layer = make_layer(dropout=0.5)
    X = vectors(9)

    def train_once(seed, torch_seed):
        fix_random_seed(seed)
        torch.manual_seed(torch_seed)
        return layer.begin_update(X)[0]

    first = train_once(0, 7)
    assert_same(train_once(1, 7), first, atol=0)
    assert abs(train_once(0, 8)[0] - first[0]).max() > 1e-3


def test_initialize_needs_a_width():
    with pytest.raises(ValueError, match="non-empty Docs"):
        hero_gang([3], "lstm", "mlp").initialize(X=vectors(None))


# Gradients


def test_a_tagger_takes_the_gradient_of_the_logits():
    tagger = make_tagger([])
    X = vectors(3, 2)
    _, backprop = tagger.begin_update(X)
    d_logits = vectors(3, 2, width=5, seed=1)
    d_vectors = backprop(d_logits)
    weight = shim(tagger)._model.classifier.weight
    assert_same(d_vectors, [d @ weight.detach().numpy() for d in d_logits], atol=1e-6)
    expected = numpy.concatenate(d_logits).T @ numpy.concatenate(X)
    numpy.testing.assert_allclose(weight.grad.numpy(), expected, atol=1e-5)


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
    assert other.get_ref("flat").get_dim("nI") == WIDTH
    assert other.get_dim("nO") == layer.get_dim("nO")
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
    return srsly.msgpack_loads(shim(layer).to_bytes())["weights"]


def load_weights(layer, weights):
    message = srsly.msgpack_loads(shim(layer).to_bytes())
    shim(layer).from_bytes(srsly.msgpack_dumps({**message, "weights": weights}))


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
    assert shim(copied).id != shim(layer).id
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
    with pytest.raises(ValueError, match=r"recurrence: .*lstm, bilstm, gru, rnn, cnn, mlp.*'LSTM'"):
        hero_gang([3], "LSTM", "mlp")
    with pytest.raises(ValueError, match=r"fusion: .*mlp, dot, concat, add.*'sum'"):
        hero_gang([3], "lstm", "sum")


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_an_odd_width_suits_units_without_directions(recurrence):
    layer = hero_gang([3], recurrence, "mlp")
    if recurrence in ("lstm", "bilstm", "gru", "rnn"):
        with pytest.raises(ValueError, match=r"even width, got 5.*such as 'cnn'"):
            layer.initialize(X=vectors(2, width=5))
    else:
        layer.initialize(X=vectors(2, width=5))
        assert layer.predict(vectors(2, width=5))[0].shape == (2, 5)


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
    parameters = oracle.parameters_of(shim(layer)._model)
    z = numpy.concatenate([X[0], X[3]]).astype("float64")
    h = oracle.gang(z, [3, 9], oracle.part_of(parameters, "gang"), [1, 5], recurrence)
    expected = oracle.source_weights(z, h, oracle.part_of(parameters, "fusion"), fusion)
    found = member_weights(layer, X)
    assert [f.shape for f in found] == [(3, 3), (0, 3), (0, 3), (9, 3)]
    numpy.testing.assert_allclose(numpy.concatenate(found), expected, atol=1e-5)


@pytest.mark.parametrize("fusion", ["mlp", "dot"])
def test_weights_are_those_that_prediction_uses(fusion, monkeypatch):
    """Also in blocks, in the layer's precision, and after training has gone before."""
    layer = make_layer([1, 5], "lstm", fusion)
    X = vectors(3, 9)
    whole = member_weights(layer, X)
    layer.begin_update(X)
    monkeypatch.setitem(BLOCK_TOKENS, "cpu", 2)
    assert_same(member_weights(layer, X), whole, atol=1e-6)
    rough = hero_gang([1, 5], "lstm", fusion, precision="bfloat16").from_bytes(layer.to_bytes())
    nearly = member_weights(rough, X)
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
        module = shim(layer)._model
        assert all(p.dtype == p.grad.dtype == torch.float32 for p in module.parameters())
        weights.append([*outputs, *d_inputs, *(p.grad.numpy() for p in module.parameters())])
    assert not all(numpy.array_equal(left, right) for left, right in zip(*weights))
    for left, right in zip(*weights):
        assert left.dtype == right.dtype == "float32"
        numpy.testing.assert_allclose(left, right, rtol=0.05, atol=0.02 * abs(left).max())


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="Unknown precision: expected one of auto, float32"):
        hero_gang([3], "lstm", "mlp", precision="float16")
