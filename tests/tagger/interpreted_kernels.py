"""The kernels of the Gang in Triton's interpreter: what they compute, without a GPU.

Run by ``test_lstm_triton.py`` in a process of its own, with ``TRITON_INTERPRET=1``.
"""

from functools import partial

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_hgn.gang import lstm_triton
from spacy_hgn.gang.gang import Gang


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=4).filter(any),
    windows=st.lists(st.sampled_from([1, 3, 5, 9]), min_size=1, max_size=3, unique=True),
    width=st.sampled_from([2, 6, 34]),
)
def test_kernels_agree_with_the_plain_lstm(lengths, windows, width):
    compare(lengths, windows, width)


def test_places_beyond_32_bits(monkeypatch):
    sizes = lstm_triton._sizes
    monkeypatch.setattr(lstm_triton, "_sizes", lambda hidden, largest: sizes(hidden, 2**31))
    compare([3, 11, 1], [3, 7], 8)


def test_half_precision_is_within_its_rounding():
    """float16 stands for bfloat16, which the interpreter doesn't multiply."""
    torch.manual_seed(0)
    gang, z = Gang(32, [3, 5], "lstm"), torch.randn(14, 32)
    with torch.no_grad():
        expected = gang(z, [9, 5])
        with torch.autocast("cpu", torch.float16):
            found = read_together(gang, z, [9, 5])
    assert found.dtype == torch.float16
    assert (found - expected).norm() < 0.002 * expected.norm()


def compare(lengths, windows, width):
    torch.manual_seed(0)
    gang, z = Gang(width, windows, "lstm"), torch.randn(sum(lengths), width)
    d_h = torch.randn(len(z), len(windows), width)
    expected = both_ways(gang, z, d_h, gang, lengths)
    found = both_ways(gang, z, d_h, partial(read_together, gang), lengths)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        predicted = read_together(gang, z, lengths)
    torch.testing.assert_close(predicted, expected["h"], rtol=1e-4, atol=1e-5)


def read_together(gang, z, lengths):
    return lstm_triton.read_windows(z, gang.units, lengths)


def both_ways(gang, z, d_h, read, lengths):
    """The vectors, and the gradients of inputs and weights, by name."""
    gang.zero_grad()
    z = z.clone().requires_grad_()
    h = read(z, lengths)
    h.backward(d_h)
    gradients = {name: weights.grad.clone() for name, weights in gang.named_parameters()}
    return {"h": h.detach(), "z": z.grad, **gradients}
