"""The Gang against the oracle, torch's own units, and what a window may see."""

import gc

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_hgn.gang.gang import RECURRENCES, Gang

from . import oracle

WIDTH = 6
WINDOWS = ([1], [3], [5, 7, 9], [1, 3, 5, 7], [11])
RAGGED = ([*range(1, 13)], [0, 3, 0, 0, 1, 12, 2, 0], [1], [12, 1])
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}

each_recurrence = pytest.mark.parametrize("recurrence", oracle.RECURRENCES)


def make_gang(recurrence, windows, width=WIDTH, dtype=torch.float64, seed=0):
    torch.manual_seed(seed)
    return Gang(width, windows, recurrence).to(dtype)


def make_vectors(lengths, width=WIDTH, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(sum(lengths), width, dtype=dtype, generator=generator)


def test_the_oracle_knows_all_recurrences():
    assert set(RECURRENCES) == set(oracle.RECURRENCES)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("windows", WINDOWS, ids=str)
@each_recurrence
def test_gang_equals_the_oracle(recurrence, windows, dtype):
    gang = make_gang(recurrence, windows, dtype=dtype)
    weights = oracle.parameters_of(gang)
    for lengths in RAGGED:
        z = make_vectors(lengths, dtype=dtype)
        expected = oracle.gang(z.double().numpy(), lengths, weights, windows, recurrence)
        with torch.no_grad():
            predicted = gang(z, lengths)
        trained = gang(z.requires_grad_(), lengths).detach()
        for h in (predicted, trained):
            assert h.dtype == dtype
            assert h.shape == (sum(lengths), len(windows), WIDTH)
            assert numpy.abs(h.numpy() - expected).max() < TOLERANCE[dtype]


@pytest.mark.parametrize("recurrence", ["lstm", "gru", "rnn"])
def test_recurrent_units_equal_torchs_own(recurrence):
    windows, lengths = [1, 3, 7], [5, 0, 1, 9]
    gang = make_gang(recurrence, windows)
    z = make_vectors(lengths)
    found = gang(z, lengths).detach()
    for j, window in enumerate(windows):
        unit = torch_unit(gang, j, window, recurrence)
        vectors = []
        for text in z.split(lengths):
            for i in range(len(text)):
                _, last = unit(oracle.window_around(text, i, window))
                h = last[0] if recurrence == "lstm" else last
                vectors.append(h.detach().flatten())
        torch.testing.assert_close(found[:, j], torch.stack(vectors), atol=1e-10, rtol=0)


def test_a_bilstm_wider_than_the_text_is_torchs_own():
    lengths = [5, 1, 9]
    gang = make_gang("bilstm", [31])
    z = make_vectors(lengths)
    unit = torch_unit(gang, 0, 31, "lstm")
    expected = torch.cat([unit(text)[0] for text in z.split(lengths)])
    torch.testing.assert_close(gang(z, lengths)[:, 0], expected, atol=1e-10, rtol=0)


def torch_unit(gang, j, window, recurrence):
    """torch.nn's unit with the weights of the Gang's window number ``j``."""
    unit = getattr(torch.nn, recurrence.upper())(WIDTH, WIDTH // 2, bidirectional=True).double()
    weights = oracle.unit_weights(dict(gang.named_parameters()), j, window, recurrence)
    with torch.no_grad():
        for direction, suffix in (("right", ""), ("left", "_reverse")):
            names = ("weight_ih_l0", "bias_ih_l0", "weight_hh_l0", "bias_hh_l0")
            for name, weight in zip(names, weights[direction]):
                getattr(unit, name + suffix).copy_(weight)
    return unit


@pytest.mark.parametrize("lengths", [[3, 0, 1, 2], [1, 1], [6]], ids=str)
@each_recurrence
def test_gradients_equal_finite_differences(recurrence, lengths):
    gang = make_gang(recurrence, [3], width=4)
    names, weights = zip(*gang.named_parameters())

    def run(z, *weights):
        return torch.func.functional_call(gang, dict(zip(names, weights)), (z, lengths))

    z = make_vectors(lengths, width=4).requires_grad_()
    assert torch.autograd.gradcheck(run, (z, *weights))


@pytest.mark.parametrize("windows", [[1], [3, 7], [11]], ids=str)
@each_recurrence
def test_gradients_equal_the_oracles(recurrence, windows):
    lengths = [4, 0, 1, 8, 0]
    gang = make_gang(recurrence, windows, width=4)
    names, weights = zip(*gang.named_parameters())
    inputs = (make_vectors(lengths, width=4).requires_grad_(), *weights)
    found = gang(inputs[0], lengths)
    expected = oracle.gang(
        inputs[0], lengths, dict(zip(names, weights)), windows, recurrence, xp=torch
    )
    upstream = torch.randn_like(expected)
    gradients = torch.autograd.grad(found, inputs, upstream, allow_unused=True)
    wanted = torch.autograd.grad(expected, inputs, upstream, allow_unused=True)
    for name, ours, theirs in zip(("z", *names), gradients, wanted):
        ours, theirs = (0 if g is None else g for g in (ours, theirs))
        assert float(abs(ours - theirs).max()) < 1e-10, name


@each_recurrence
def test_gradients_add_up_over_two_backward_passes(recurrence):
    gang = make_gang(recurrence, [3, 5])
    z = make_vectors([4, 2])
    sums = []
    for passes in (1, 2):
        gang.zero_grad()
        for _ in range(passes):
            gang(z, [4, 2]).square().sum().backward()
        sums.append([p.grad.clone() for p in gang.parameters()])
    for once, twice in zip(*sums):
        torch.testing.assert_close(twice, 2 * once)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    recurrence=st.sampled_from(oracle.RECURRENCES),
    seed=st.integers(0, 1000),
)
def test_a_text_gets_the_same_vectors_alone_and_in_any_batch(lengths, recurrence, seed):
    gang = make_gang(recurrence, [1, 5, 9], seed=seed)
    z = make_vectors(lengths, seed=seed)
    with torch.no_grad():
        alone = [gang(text, [len(text)]) for text in z.split(lengths)]
        torch.testing.assert_close(gang(z, lengths), torch.cat(alone), atol=1e-12, rtol=0)


@pytest.mark.parametrize("window", [1, 3, 5, 11])
@each_recurrence
def test_a_window_sees_its_own_tokens_only(recurrence, window):
    gang = make_gang(recurrence, [window], dtype=torch.float32)
    z = make_vectors([12], dtype=torch.float32)
    with torch.no_grad():
        before = gang(z, [12])
        for changed in range(12):
            other = z.clone()
            other[changed] += 3
            difference = (gang(other, [12]) - before).abs().flatten(1).amax(1)
            for i in range(12):
                if abs(i - changed) > window // 2:
                    assert difference[i] <= 1e-7
                elif recurrence != "cnn":  # whose maximum may lie elsewhere
                    assert difference[i] > 1e-7


@each_recurrence
def test_nothing_leaks_from_the_texts_beside(recurrence):
    lengths = [4, 1, 0, 5]
    gang = make_gang(recurrence, [1, 3, 9])
    z = make_vectors(lengths)
    with torch.no_grad():
        before = gang(z, lengths).split(lengths)
        for kept in range(len(lengths)):
            texts = [t if i == kept else 1e6 * t + 7 for i, t in enumerate(z.split(lengths))]
            after = gang(torch.cat(texts), lengths).split(lengths)
            torch.testing.assert_close(after[kept], before[kept], atol=1e-10, rtol=0)


@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]], ids=str)
@each_recurrence
def test_no_tokens(recurrence, lengths):
    h = make_gang(recurrence, [3, 5])(make_vectors(lengths), lengths)
    assert h.shape == (0, 2, WIDTH)


@pytest.mark.parametrize("recurrence", ["lstm", "gru", "rnn"])
def test_an_odd_width_is_refused(recurrence):
    with pytest.raises(ValueError, match=r"expected an even width, got 5"):
        Gang(5, [3], recurrence)


@each_recurrence
def test_state_dict_round_trip(recurrence):
    first, second = (make_gang(recurrence, [3, 5], seed=seed) for seed in (0, 1))
    z = make_vectors([4])
    assert not torch.equal(first(z, [4]), second(z, [4]))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(z, [4]), second(z, [4]))


@each_recurrence
def test_no_memory_is_held_after_the_way_back(recurrence):
    """A cycle through the graph would hold a step's gates until the collector comes by."""
    gang, z = make_gang(recurrence, [5]), make_vectors([7])
    for parameter in gang.parameters():
        parameter.grad = torch.zeros_like(parameter)
    gc.collect()
    gc.disable()
    try:
        before = count_tensors()
        gang(z, [7]).sum().backward()
        assert count_tensors() == before
    finally:
        gc.enable()


def count_tensors():
    return sum(type(thing) is torch.Tensor for thing in gc.get_objects())
