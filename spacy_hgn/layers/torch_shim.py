"""A PyTorch shim for prediction in threads and for weights without pickle."""

import copy
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from thinc.api import PyTorchShim, get_torch_default_device
from thinc.shims.shim import Shim
from thinc.types import ArgsKwargs
from torch import nn

from .precision import autocast


class TorchShim(PyTorchShim):
    """Thinc's shim, but for two things.

    Thinc's ``predict`` switches the module to evaluation and back to training, so that two
    threads on one pipeline switch each other's dropout on. This one only ever switches to
    evaluation, and ``begin_update`` to training. Second, both run in ``precision``.
    """

    precision: str = "float32"

    def predict(self, inputs: ArgsKwargs) -> Any:
        """Run the module without recording a graph, leaving it in evaluation mode."""
        if self._model.training:
            self._model.eval()
        with torch.no_grad(), autocast(self.precision, self.device):
            return self._model(*inputs.args, **inputs.kwargs)

    def copy(self) -> "TorchShim":
        """Copy the module, under an id of its own, by which optimizers know its weights."""
        copied = copy.deepcopy(self)
        copied.id = Shim(None).id
        return copied


def weights_to_bytes(module: nn.Module) -> bytes:
    """The module's weights in the safetensors format: plain numbers, no code."""
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    return save_safetensors(state)


def weights_from_bytes(module: nn.Module, data: bytes, what: str) -> None:
    """Load weights into the module and bring it to Thinc's device.

    what: names the module in errors.
    Raises ValueError where the data are no safetensors or belong to another module.
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
