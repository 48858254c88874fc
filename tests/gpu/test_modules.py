"""Gang, fusion and classifier on the GPU against the same weights on the CPU."""

import copy
from itertools import product

import pytest
import torch
from tagger.oracle import FUSIONS, RECURRENCES

from spacy_hgn.backend.gpu import check_gpu, describe_gpu
from spacy_hgn.backend.torch_shim import autocast
from spacy_hgn.gang import gang
from spacy_hgn.tagger.hero_gang import HeroGang

from .helpers import DEVICE, FLOAT32, assert_near, distance, needs_cuda

WINDOWS = [3, 5, 7, 9, 11]
RAGGED = [1, 7, 2, 40, 1, 12, 150, 3]
"""Tokens of texts: some shorter than a window, some longer than a block of a kernel."""

BOUNDS = {"float32": FLOAT32, "bfloat16": 2e-2}
"""How far vectors and gradients may be from the CPU's in float32, as a share of their norm.
bfloat16 has 8 bits, so that each rounding costs up to 0.4 %. The CPU's own bfloat16 is 1 % off, and
so are, scaled from float16 in Triton's interpreter, the kernels, which round the states too."""

MAXIMUM = 0.15
"""The same of a CNN's gradients in bfloat16: of positions that round to the same maximum, another
one may get the gradient. The CPU's own are 8 % off."""

MODULES = [*product(RECURRENCES, FUSIONS), ("", "")]
"""Recurrence and fusion; neither is the plain Transformer."""

each_precision = pytest.mark.parametrize("precision", BOUNDS)
each_module = pytest.mark.parametrize(("recurrence", "fusion"), MODULES)


@pytest.fixture
def by_window(monkeypatch):
    """An LSTM's windows are read one by one, as they are without Triton."""
    monkeypatch.setattr(gang, "reads_together", lambda *_: False)


@pytest.fixture(params=["together", "by window"])
def way(request):
    """Each way in which an LSTM's windows are read."""
    if request.param == "by window":
        request.getfixturevalue("by_window")


def make(recurrence, fusion, windows=WINDOWS, width=32) -> tuple[HeroGang, HeroGang]:
    """A tagger on the CPU and the same on the GPU."""
    torch.manual_seed(0)
    module = HeroGang(width, windows if recurrence else [], recurrence, fusion, tags=7)
    return module, copy.deepcopy(module).to(DEVICE)


def vectors(lengths, width=32) -> torch.Tensor:
    return torch.randn(sum(lengths), width, generator=torch.Generator().manual_seed(1))


def predict(module, z, lengths, precision="float32") -> torch.Tensor:
    """The logits, from the module's own device."""
    device = module.classifier.weight.device
    with torch.no_grad(), autocast(precision, device):
        return module(z.to(device), lengths)


def gradients(module, z, lengths, precision="float32") -> dict[str, torch.Tensor]:
    """Those of a random way back, of inputs and weights by name."""
    device = module.classifier.weight.device
    z = z.clone().to(device).requires_grad_()
    with autocast(precision, device):
        logits = module(z, lengths)
    generator = torch.Generator().manual_seed(2)
    logits.backward(torch.randn(logits.shape, generator=generator).to(device))
    named = {"z": z, **dict(module.named_parameters())}
    # None where a window of one token takes no step
    return {k: torch.zeros_like(v) if v.grad is None else v.grad for k, v in named.items()}


@needs_cuda
def test_nothing_is_missing_for_this_gpu():
    check_gpu(0)
    assert describe_gpu().startswith("GPU 0: ")


@needs_cuda
def test_windows_are_read_together_here():
    assert gang.reads_together("lstm", torch.zeros(1, 2, device=DEVICE))
    assert not gang.reads_together("gru", torch.zeros(1, 2, device=DEVICE))


@each_precision
@each_module
def test_predicts_as_on_the_cpu(recurrence, fusion, precision):
    on_cpu, on_gpu = make(recurrence, fusion)
    z = vectors(RAGGED)
    found = predict(on_gpu, z, RAGGED, precision)
    assert found.device == DEVICE
    assert distance(found, predict(on_cpu, z, RAGGED)) < BOUNDS[precision]


@each_precision
@pytest.mark.parametrize("fusion", FUSIONS)
def test_predicts_window_by_window_as_on_the_cpu(fusion, precision, by_window):
    on_cpu, on_gpu = make("lstm", fusion)
    z = vectors(RAGGED)
    found = predict(on_gpu, z, RAGGED, precision)
    assert distance(found, predict(on_cpu, z, RAGGED)) < BOUNDS[precision]


@each_precision
@each_module
def test_gradients_as_on_the_cpu(recurrence, fusion, precision):
    on_cpu, on_gpu = make(recurrence, fusion)
    z = vectors(RAGGED)
    found, expected = gradients(on_gpu, z, RAGGED, precision), gradients(on_cpu, z, RAGGED)
    is_maximum = recurrence == "cnn" and precision == "bfloat16"
    assert_near(found, expected, MAXIMUM if is_maximum else BOUNDS[precision])


@pytest.mark.parametrize("lengths", [[9], RAGGED, [1, 2, 1, 3]], ids=str)
@pytest.mark.parametrize("windows", [[1], WINDOWS], ids=str)
@pytest.mark.parametrize(
    ("width", "precision"),
    [(6, "float32"), (34, "float32"), (384, "float32"), (384, "bfloat16")],
)
def test_an_lstm_of_any_width_as_on_the_cpu(width, precision, windows, lengths, way):
    on_cpu, on_gpu = make("lstm", "mlp", windows, width)
    z = vectors(lengths, width)
    found, expected = gradients(on_gpu, z, lengths, precision), gradients(on_cpu, z, lengths)
    assert_near(found, expected, BOUNDS[precision])
    found, expected = predict(on_gpu, z, lengths, precision), predict(on_cpu, z, lengths)
    assert distance(found, expected) < BOUNDS[precision]


@each_precision
def test_the_same_update_twice_gives_the_same_gradients_bit_by_bit(precision):
    """Together; by window, torch's index_add sums in any order on a GPU."""
    _, module = make("lstm", "mlp", width=384)
    z = vectors(RAGGED, 384)
    first = gradients(copy.deepcopy(module), z, RAGGED, precision)
    again = gradients(copy.deepcopy(module), z, RAGGED, precision)
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_a_text_gets_the_same_vectors_alone_and_in_any_batch(recurrence):
    _, module = make(recurrence, "dot")
    z = vectors(RAGGED)
    alone = [predict(module, text, [len(text)]) for text in z.split(RAGGED)]
    assert distance(predict(module, z, RAGGED), torch.cat(alone)) < FLOAT32


@pytest.mark.parametrize("lengths", [[], [0], [0, 4, 0]], ids=str)
def test_texts_without_tokens(lengths):
    _, module = make("lstm", "mlp")
    assert predict(module, vectors(lengths), lengths).shape == (sum(lengths), 7)
