"""The fusions against the oracle, and the table of all differences."""

import numpy
import pytest
import torch

from spacy_hgn.fusion import FUSIONS

from . import oracle
from .parity import parity_table

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def test_the_oracle_knows_all_fusions():
    assert set(FUSIONS) == set(oracle.FUSIONS)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("windows", [1, 3, 5])
@pytest.mark.parametrize("fusion", oracle.FUSIONS)
def test_fusion_equals_the_oracle(fusion, windows, dtype):
    torch.manual_seed(windows)
    module = FUSIONS[fusion](6, windows).to(dtype)
    z, h = torch.randn(20, 6, dtype=dtype), torch.randn(20, windows, 6, dtype=dtype)
    expected = oracle.fuse(
        z.double().numpy(), h.double().numpy(), oracle.parameters_of(module), fusion
    )
    fused = module(z, h).detach()
    assert fused.dtype == dtype
    assert fused.shape == (20, module.width_out) == expected.shape
    assert numpy.abs(fused.numpy() - expected).max() < TOLERANCE[dtype]


@pytest.mark.parametrize("windows", [1, 3])
@pytest.mark.parametrize("fusion", oracle.FUSIONS)
def test_what_the_windows_bring_equals_the_oracle(fusion, windows):
    torch.manual_seed(windows)
    module = FUSIONS[fusion](6, windows).double()
    z, h = torch.randn(20, 6).double(), torch.randn(20, windows, 6).double()
    expected = oracle.windows_part(z.numpy(), h.numpy(), oracle.parameters_of(module), fusion)
    found = module.of_windows(z, h).detach()
    assert numpy.abs(found.numpy() - expected).max() < TOLERANCE[torch.float64]


@pytest.mark.parametrize("fusion", oracle.FUSIONS)
def test_gradients_equal_finite_differences_and_the_oracle(fusion):
    torch.manual_seed(1)
    module = FUSIONS[fusion](4, 2).double()
    names, weights = zip(*module.named_parameters()) if list(module.parameters()) else ((), ())
    z = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    h = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)

    def run(z, h, *weights):
        return torch.func.functional_call(module, dict(zip(names, weights)), (z, h))

    inputs = (z, h, *weights)
    assert torch.autograd.gradcheck(run, inputs)
    expected = oracle.fuse(z, h, dict(zip(names, weights)), fusion, xp=torch)
    upstream = torch.randn_like(expected)
    for found, wanted in zip(
        torch.autograd.grad(run(*inputs), inputs, upstream),
        torch.autograd.grad(expected, inputs, upstream),
    ):
        torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)


@pytest.mark.parametrize("fusion", ["mlp", "dot"])
def test_attention_copes_with_large_vectors(fusion):
    torch.manual_seed(2)
    fused = FUSIONS[fusion](4, 2)(1e4 * torch.randn(3, 4), 1e4 * torch.randn(3, 2, 4))
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("windows", [1, 3, 5])
@pytest.mark.parametrize("fusion", ["mlp", "dot"])
def test_weights_equal_the_oracle_and_make_the_fused_vectors(fusion, windows, dtype):
    torch.manual_seed(windows)
    module = FUSIONS[fusion](6, windows).to(dtype)
    z, h = torch.randn(20, 6, dtype=dtype), torch.randn(20, windows, 6, dtype=dtype)
    weights = module.weights(z, h).detach()
    parameters = oracle.parameters_of(module)
    expected = oracle.source_weights(z.double().numpy(), h.double().numpy(), parameters, fusion)
    assert weights.shape == (20, windows + 1) == expected.shape
    assert numpy.abs(weights.numpy() - expected).max() < TOLERANCE[dtype]
    members = torch.cat([h, z[:, None]], dim=1)
    fused = (weights[:, :, None] * members).sum(dim=1)
    torch.testing.assert_close(fused, module(z, h).detach(), atol=TOLERANCE[dtype], rtol=0)


def test_the_mlp_shares_out_between_all_and_dot_between_the_windows():
    z, h = torch.randn(7, 6), torch.randn(7, 3, 6)
    mlp, dot = (FUSIONS[fusion](6, 3).weights(z, h) for fusion in ("mlp", "dot"))
    torch.testing.assert_close(mlp.sum(dim=1), torch.ones(7))
    torch.testing.assert_close(dot[:, :3].sum(dim=1), torch.ones(7))
    assert (dot[:, 3] == 1).all()
    assert not any(hasattr(FUSIONS[fusion], "weights") for fusion in ("concat", "add"))


def test_gang_and_fusion_together_equal_the_oracle():
    rows = [line.strip("| ").split(" | ") for line in parity_table().splitlines()[2:]]
    assert [(row[0], row[1]) for row in rows] == [
        (recurrence, fusion) for recurrence in oracle.RECURRENCES for fusion in oracle.FUSIONS
    ]
    for *_, float32, float64 in rows:
        assert float(float32) < TOLERANCE[torch.float32]
        assert float(float64) < TOLERANCE[torch.float64]
