"""A PyTorch shim that predicts in several threads, computes in a floating point format, and stores
weights without pickle."""

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, ref

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from thinc.api import Model, Optimizer, PyTorchShim, get_torch_default_device
from thinc.shims.shim import Shim
from thinc.types import ArgsKwargs
from thinc.util import convert_recursive, iterate_recursive
from torch import Tensor, nn

from ..util.settings import one_of
from .optimizer import AdamW
from .step_size import StepSize

PRECISIONS = ("auto", "float32", "bfloat16")

# Shims whose modules have gradients that no optimizer has used yet.
_holding_gradients: WeakSet["TorchShim"] = WeakSet()

# The AdamW of each shim; not stored in the shim, which is pickled.
_optimizers: WeakKeyDictionary[Any, ref[AdamW]] = WeakKeyDictionary()


class TorchShim(PyTorchShim):
    """Thinc's shim with three differences.

    First, threads: Thinc's ``predict`` switches the module to evaluation and back to training, so
    two threads on one pipeline switch each other's dropout on. Here, ``predict`` only switches to
    evaluation, and ``begin_update`` to training. Second, it computes in ``precision``. Third, it
    passes all modules of a step to the optimizer ``AdamW`` at once, not array by array.
    """

    precision: str = "float32"
    has_precision: bool = True
    """Whether the config sets it."""
    part: str = "gang"
    """Sets the learning rate in ``AdamW``."""

    @cached_property
    def step_size(self) -> StepSize:
        """The number by which to divide the module's gradients."""
        return StepSize()

    @property
    def device(self) -> torch.device:
        """That of the weights, or Thinc's before there are any."""
        return get_torch_default_device() if self._model is None else super().device

    def predict(self, inputs: ArgsKwargs) -> Any:
        """Run the module without a graph, and leave it in evaluation mode."""
        with self.predicting() as module:
            return module(*inputs.args, **inputs.kwargs)

    @contextmanager
    def predicting(self) -> Iterator[nn.Module]:
        """The module in evaluation mode, without a graph, in its precision."""
        if self._model.training:
            self._model.eval()
        with torch.no_grad(), self.autocast():
            yield self._model

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable]:
        """Run the module in training mode. Returns its output and the backward function."""
        self._model.train()
        with self.autocast():
            output = self._model(*inputs.args, **inputs.kwargs)

        def backprop(grads: ArgsKwargs) -> ArgsKwargs:
            _holding_gradients.add(self)
            accumulated = self._set_gradients_aside() if self._mixed_precision else []
            scaled = self._grad_scaler.scale(grads.kwargs["grad_tensors"], inplace=True)
            torch.autograd.backward(*grads.args, **{**grads.kwargs, "grad_tensors": scaled})
            of_inputs = list(_gradients(iterate_recursive(torch.is_tensor, inputs)))
            if self._grad_scaler.unscale(chain(_gradients(self._model.parameters()), of_inputs)):
                for gradient in of_inputs:
                    gradient.zero_()
            _add_gradients(accumulated)
            return convert_recursive(torch.is_tensor, lambda tensor: tensor.grad, inputs)

        return output, backprop

    def finish_update(self, optimizer: Optimizer) -> None:
        """Update the weights with gradients averaged over the step's tokens, if these were
        counted. ``AdamW`` updates all modules of the step at once."""
        if not self.has_learnt():
            self.forget_gradients()
        elif not isinstance(optimizer, AdamW):
            divide_gradients(self, self.step_size.tokens or 1)
            _holding_gradients.discard(self)
            super().finish_update(optimizer)
        elif self in _holding_gradients:
            optimizer.shims.add(self)
            _optimizers[self] = ref(optimizer)
            _step_together(optimizer)
        self.step_size.end()

    def has_learnt(self) -> bool:
        """Whether any token contributed to the gradients. Otherwise all gradients are zero, but
        momentum and decay would still move the weights."""
        if self.step_size.tokens != 0:
            return True
        return any(bool(gradient.any()) for gradient in _gradients(self._model.parameters()))

    def forget_gradients(self) -> None:
        """Clear the gradients and end the step."""
        for weights in self._model.parameters():
            weights.grad = None
        self.step_size.end()
        _holding_gradients.discard(self)

    def _set_gradients_aside(self) -> list[tuple[Tensor, Tensor]]:
        """Remove and return the gradients of earlier batches, which are already unscaled."""
        held = [(p, p.grad) for p in self._model.parameters() if p.grad is not None]
        for weights, _ in held:
            weights.grad = None
        return held

    def autocast(self) -> AbstractContextManager:
        """The context in which the module computes in its precision."""
        if self._mixed_precision:
            return torch.autocast("cuda")
        return autocast(self.precision, self.device)

    def copy(self) -> "TorchShim":
        """Copy the module, with a new id, because optimizers know weights by it."""
        copied = copy.deepcopy(self)
        copied.id = Shim(None).id
        copied.step_size.clear()
        return copied


def hold_gradients(shim: Any, holds: bool) -> None:
    """Record whether a shim's module has gradients that the shim itself didn't compute."""
    if isinstance(shim, TorchShim):
        (_holding_gradients.add if holds else _holding_gradients.discard)(shim)


def optimizer_of(shim: Any) -> AdamW | None:
    """The AdamW that updates a shim's module; None for another optimizer."""
    found = _optimizers.get(shim)
    return None if found is None else found()


def tokens_of(shim: Any) -> int | None:
    """The number of tokens over which a shim's gradients are summed; None if not counted."""
    return shim.step_size.tokens if isinstance(shim, TorchShim) else None


def divide_gradients(shim: Any, tokens: int) -> None:
    """Turn the gradients of a shim's module from sums over tokens into means."""
    if gradients := list(_gradients(shim._model.parameters())):
        torch._foreach_div_(gradients, tokens)


def _add_gradients(held: list[tuple[Tensor, Tensor]]) -> None:
    for weights, gradient in held:
        weights.grad = gradient if weights.grad is None else weights.grad + gradient


def _gradients(tensors: Iterable[Tensor]) -> Iterator[Tensor]:
    return (tensor.grad for tensor in tensors if tensor.grad is not None)


def _step_together(optimizer: AdamW) -> None:
    """Update all modules with gradients that belong to this AdamW.

    They belong to it after their first ``finish_update``. Modules of other pipelines don't.
    """
    holding = sorted(_holding_gradients & optimizer.shims, key=lambda shim: shim.id)
    shims = [shim for shim in holding if shim.has_learnt()]
    if not any(shim._grad_scaler.found_inf for shim in shims):
        optimizer.step([(shim.part, shim._model, shim.step_size.tokens) for shim in shims])
    for shim in holding:
        shim.forget_gradients()
        shim._grad_scaler.update()


def weights_to_bytes(module: nn.Module) -> bytes:
    """Serialize the module's weights as safetensors, which hold no code."""
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    return save_safetensors(state)


def weights_from_bytes(module: nn.Module, data: bytes, what: str) -> None:
    """Load weights into the module and move it to Thinc's device.

    what: the module's name in errors.
    Raises ValueError if the data aren't safetensors or belong to another module.
    """
    try:
        state = load_safetensors(data)
    except SafetensorError as error:
        raise ValueError(f"Can't read the weights of {what}: {error}") from error
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"These weights belong to another {what}: {error}") from error
    module.to(get_torch_default_device())


def check_precision(precision: str) -> str:
    """Return the setting, or raise ValueError with the allowed values."""
    return one_of(PRECISIONS, "precision", precision)


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context for computing in a precision. With "auto", it is bfloat16 if the device has
    instructions for it."""
    enabled = resolve_precision(precision, device) == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def resolve_precision(precision: str, device: torch.device) -> str:
    """The format on this device: the setting, or the choice of "auto"."""
    if precision != "auto":
        return precision
    return "bfloat16" if has_fast_bfloat16(device) else "float32"


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


@contextmanager
def predicting_in(precision: str, models: Iterable[Model]) -> Iterator[None]:
    """Let models predict in this precision inside the context, whatever their config says.

    Raises ValueError for an unknown precision.
    """
    check_precision(precision)
    shims = [shim for model in models for shim in shims_with_precision(model)]
    configured = [shim.precision for shim in shims]
    try:
        for shim in shims:
            shim.precision = precision
        yield
    finally:
        for shim, setting in zip(shims, configured):
            shim.precision = setting


def shims_with_precision(model: Model) -> list[Any]:
    """The shims in a component's model whose precision the config sets."""
    shims = [shim for node in model.walk() for shim in node.shims]
    return [shim for shim in shims if getattr(shim, "has_precision", False)]
