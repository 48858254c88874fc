"""One sum over all ranks of all gradients of a step."""

from typing import Any, cast

import torch
import torch.distributed as dist
from thinc.api import Model, torch2xp, xp2torch
from thinc.types import FloatsXd
from torch import Tensor, nn

from ...backend.torch_shim import hold_gradients, tokens_of
from ..checkpoints.models import TrainedModels, parameters_of


class TorchGradient:
    """The gradient of one of a torch module's weights."""

    def __init__(self, weight: nn.Parameter) -> None:
        self.weight = weight
        self.shape = weight.shape

    def get(self) -> Tensor | None:
        return self.weight.grad

    def set(self, gradient: Tensor) -> None:
        self.weight.grad = gradient.to(self.weight.dtype)


class ThincGradient:
    """The gradient of one of a Thinc layer's arrays."""

    def __init__(self, layer: Model, name: str) -> None:
        self.layer = layer
        self.name = name
        self.shape = torch.Size(layer.get_param(name).shape)

    def get(self) -> Tensor | None:
        return xp2torch(self.layer.get_grad(self.name)) if self.layer.has_grad(self.name) else None

    def set(self, gradient: Tensor) -> None:
        self.layer.set_grad(self.name, cast(FloatsXd, torch2xp(gradient.clone())))


class GradientSum:
    """Sums the gradients of a step over all ranks, in one exchange.

    Sums, not means: the losses of spaCy's components are sums over tokens or texts, so that this
    is the gradient of the ranks' batches as one batch. What ``hgn_ner`` teaches is divided by its
    tokens later, by those of all ranks.

    The buffer that is exchanged also says over how many tokens a module's gradients are summed,
    which rank has which gradient, and whose overflowed: weights that no rank has a gradient of
    get none, and all ranks skip a step or none.
    """

    def __init__(self, models: TrainedModels, device: torch.device) -> None:
        self.shims: list[Any] = list(models.shims.values())
        self.gradients: list[TorchGradient | ThincGradient] = [
            ThincGradient(layer, name)
            for layer in models.layers.values()
            for name in layer.param_names
            if layer.has_param(name)
        ]
        self._of_shim: list[slice] = []
        for shim in self.shims:
            start = len(self.gradients)
            trained = [weight for _, weight in parameters_of(shim) if weight.requires_grad]
            self.gradients += [TorchGradient(weight) for weight in trained]
            self._of_shim.append(slice(start, len(self.gradients)))
        sizes = [gradient.shape.numel() for gradient in self.gradients]
        flags = len(self.gradients) + 3 * len(self.shims)
        self.buffer = torch.zeros(sum(sizes) + flags, device=device)
        *parts, self._flags = self.buffer.split([*sizes, flags])
        self._parts = [part.view(each.shape) for part, each in zip(parts, self.gradients)]

    def __call__(self) -> None:
        """Put the sums into the place of this rank's gradients."""
        self.fill()
        dist.all_reduce(self.buffer)
        self.empty()

    def fill(self) -> None:
        """Copy this rank's gradients into the buffer."""
        found = [gradient.get() for gradient in self.gradients]
        present = [float(each is not None) for each in found]
        overflowed = [float(shim._grad_scaler.found_inf) for shim in self.shims]
        tokens = [tokens_of(shim) for shim in self.shims]
        counts = [float(each is not None) for each in tokens]
        self._flags.copy_(torch.tensor([*present, *overflowed, *counts, *(t or 0 for t in tokens)]))
        for part, own in zip(self._parts, found):
            if own is None:
                part.zero_()
            else:
                part.copy_(own)

    def empty(self) -> None:
        """Hand out what is in the buffer: modules' gradients are views of it from now on."""
        n = len(self.shims)
        flags = self._flags.split([len(self.gradients), n, n, n])
        present, overflowed, counts, tokens = (each.tolist() for each in flags)
        for gradient, part, ranks in zip(self.gradients, self._parts, present):
            if ranks:
                gradient.set(part)
        for shim, own, ranks in zip(self.shims, self._of_shim, overflowed):
            shim._grad_scaler._found_inf = bool(ranks)
            hold_gradients(shim, any(present[own]))
        for shim, ranks, total in zip(self.shims, counts, tokens):
            if ranks:
                shim.step_size.set(int(total))
