"""Sum all gradients of a step over all ranks, in one exchange."""

import math
from typing import Any, cast

import torch
import torch.distributed as dist
from thinc.api import torch2xp, xp2torch
from thinc.types import FloatsXd

from ...backend.torch_shim import hold_gradients, tokens_of
from ..loop.trained_models import TrainedModels


class GradientSum:
    """Sums the gradients of a step over all ranks, in one exchange.

    Sums, not means: the losses of spaCy's components are sums over tokens or texts, so the result
    is the gradient of all ranks' batches as one batch. The gradients of ``hgn_ner`` are later
    divided by the tokens of all ranks.

    The buffer also holds the number of tokens for each module's gradients, which gradients a rank
    has, and which overflowed. Weights without a gradient on any rank get none. All ranks skip a
    step, or none does.
    """

    def __init__(self, models: TrainedModels, device: torch.device) -> None:
        self.shims: list[Any] = list(models.shims.values())
        self.params = [(layer, name) for _, layer, name in models.params()]
        self.parameters = [
            (shim, weight) for _, shim, _, weight in models.parameters() if weight.requires_grad
        ]
        shapes: list[tuple[int, ...]] = [
            *(layer.get_param(name).shape for layer, name in self.params),
            *(weight.shape for _, weight in self.parameters),
        ]
        sizes = [math.prod(shape) for shape in shapes]
        flags = len(shapes) + 3 * len(self.shims)
        self.buffer = torch.zeros(sum(sizes) + flags, device=device)
        *parts, self._flags = self.buffer.split([*sizes, flags])
        self._parts = [part.view(shape) for part, shape in zip(parts, shapes)]

    def __call__(self) -> None:
        """Replace this rank's gradients by the sums."""
        self.fill()
        dist.all_reduce(self.buffer)
        self.empty()

    def fill(self) -> None:
        """Copy this rank's gradients into the buffer."""
        of_thinc = [
            xp2torch(layer.get_grad(name)) if layer.has_grad(name) else None
            for layer, name in self.params
        ]
        found = [*of_thinc, *(weight.grad for _, weight in self.parameters)]
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
        """Copy the buffer to the gradients. Those of torch modules become views of it."""
        n = len(self.shims)
        flags = self._flags.split([len(self._parts), n, n, n])
        present, overflowed, counts, tokens = (each.tolist() for each in flags)
        summed = [part if ranks else None for part, ranks in zip(self._parts, present)]
        for (layer, name), part in zip(self.params, summed):
            if part is not None:
                layer.set_grad(name, cast(FloatsXd, torch2xp(part.clone())))
        learnt = set()
        for (shim, weight), part in zip(self.parameters, summed[len(self.params) :]):
            if part is not None:
                weight.grad = part.to(weight.dtype)
                learnt.add(shim)
        for shim, inf, counted, total in zip(self.shims, overflowed, counts, tokens):
            shim._grad_scaler._found_inf = bool(inf)
            hold_gradients(shim, shim in learnt)
            if counted:
                shim.step_size.set(int(total))
