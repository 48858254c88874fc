import numpy
import torch
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import PyTorchGradScaler
from thinc.types import ArgsKwargs
from torch import nn

from spacy_hgn.backend.torch_shim import TorchShim


class Scaler(PyTorchGradScaler):
    """Thinc's, on a CPU too."""

    def _scale_tensor(self, tensor, scale_per_device, inplace):
        return tensor.mul_(self._scale) if inplace else tensor * self._scale


def make_shim(is_mixed: bool) -> TorchShim:
    torch.manual_seed(0)
    shim = TorchShim(nn.Linear(3, 2))
    if is_mixed:
        shim._mixed_precision = True
        shim._grad_scaler = Scaler(enabled=True, init_scale=1024.0)
        shim.autocast = torch.enable_grad  # torch.autocast("cuda") wants a GPU
    return shim


def go_through(shim: TorchShim, rows: list[float]) -> numpy.ndarray:
    """A batch a row, there and back; the weights' gradient at the end."""
    for row in rows:
        inputs = torch.full((1, 3), row, requires_grad=True)
        output, backprop = shim.begin_update(ArgsKwargs((inputs,), {}))
        backprop(ArgsKwargs((output,), {"grad_tensors": torch.ones(1, 2)}))
    return shim._model.weight.grad.numpy()


@given(st.lists(st.integers(-8, 8).map(float), min_size=1, max_size=4))
def test_batches_of_a_step_weigh_the_same_in_mixed_precision(rows):
    mixed = go_through(make_shim(True), rows)
    numpy.testing.assert_array_equal(mixed, go_through(make_shim(False), rows))
    numpy.testing.assert_array_equal(mixed, numpy.full((2, 3), sum(rows), dtype="f"))


def test_an_overflow_in_one_batch_of_a_step_is_remembered():
    shim = make_shim(True)
    go_through(shim, [1.0, float("inf"), 1.0])
    assert shim._grad_scaler.found_inf
