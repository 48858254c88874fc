"""AdamW over whole steps: a learning rate by part, and clipping by the global norm."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import torch
from thinc.api import Optimizer
from thinc.types import FloatsXd, Generator
from torch import Tensor, nn

from .gradient_norms import GradientNorms
from .ranks import require_together

FloatOrSchedule = float | list[float] | Generator

TINY = 1e-6
"""Avoids division by 0 in clipping, as in ``torch.nn.utils.clip_grad_norm_``."""


class HeroKey(tuple):
    """Thinc's key of an array of the Hero. It equals the plain key."""


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Modules of spacy_hgn are updated together, in one fused step of ``torch.optim.AdamW``. It runs
    when the first of them finishes its update, because all gradients are final then. The
    gradients are clipped by their global norm. Biases and norms aren't decayed. In its first step,
    a module is updated separately, because the optimizer doesn't know it yet. Arrays of other
    components are updated by Thinc's Adam, each clipped by its own norm.

    Under ``torchrun``, ``spacy-hgn.Distributed.v1`` sums the gradients over all ranks before, so
    that norms and moments are those of one process with all batches.
    """

    def __init__(
        self,
        learn_rate: FloatOrSchedule,
        hero_learn_rate: FloatOrSchedule | None = None,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        grad_clip: float = 1.0,
    ) -> None:
        """learn_rate: of all weights except the Hero's. hero_learn_rate: of the Hero's weights;
        None is the same rate. Both are numbers or schedules. beta1, beta2, eps, weight_decay: as
        in ``torch.optim.AdamW``. grad_clip: the maximum norm of the gradients; 0 is no clipping.
        """
        super().__init__(
            learn_rate,
            L2=weight_decay,
            beta1=beta1,
            beta2=beta2,
            eps=eps,
            grad_clip=grad_clip,
            use_averages=False,
            L2_is_weight_decay=True,
        )
        self.hero_learn_rate: float | None = None
        if hero_learn_rate is not None:
            self._set_attr_or_schedule("hero_learn_rate", hero_learn_rate)
        self.over_ranks = False
        """Whether gradients are summed over all processes of a run."""
        self.norms = GradientNorms()
        """Norms of the gradients before clipping."""
        self.shims: WeakSet[Any] = WeakSet()
        """The shims of all modules that this optimizer has updated."""
        self._torch: torch.optim.AdamW | None = None
        self._known: set[nn.Parameter] = set()

    def step(self, modules: Sequence[tuple[str, nn.Module, int | None]]) -> None:
        """Update modules with their gradients, then clear the gradients.

        modules: tuples of part, module and tokens. The part, "hero" or another, sets the learning
        rate. Gradients are divided by the number of tokens; None or 0 leaves them unchanged.
        Raises ValueError under ``torchrun`` if gradients aren't summed over the processes.
        """
        require_together(self.over_ranks)
        parameters: list[nn.Parameter] = []
        gradients: list[tuple[list[Tensor], int]] = []
        is_whole = all(p in self._known for _, module, _ in modules for p in module.parameters())
        for part, module, tokens in modules:
            of_module = list(module.parameters())
            self._add(part, of_module)
            parameters += of_module
            gradients.append(([p.grad for p in of_module if p.grad is not None], tokens or 1))
        self._scale(gradients, is_whole)
        if self._torch is not None:
            for group in self._torch.param_groups:
                group["lr"] = self._rate_of(group["part"])
            self._torch.step()
        for parameter in parameters:
            parameter.grad = None

    def _scale(self, gradients: Sequence[tuple[list[Tensor], int]], is_whole: bool) -> None:
        """Divide each module's gradients by its number of tokens, and clip by the global norm.

        Both in one pass, because a Hero has many gradients. is_whole: whether the norm covers all
        modules; in the first step of a training, modules are updated one by one.
        """
        gradients = [each for each in gradients if each[0]]
        if not gradients:
            return
        norms = [nn.utils.get_total_norm(of_module) / n for of_module, n in gradients]
        norm = torch.linalg.vector_norm(torch.stack(norms))
        if is_whole:
            self.norms.add(norm, self.grad_clip)
        factor = (
            (self.grad_clip / (norm + TINY)).clamp(max=1.0) if self.grad_clip else norm.new_ones(())
        )
        for of_module, n in gradients:
            torch._foreach_mul_(of_module, factor / n)

    def __call__(
        self, key: Any, weights: FloatsXd, gradient: FloatsXd, *, lr_scale: float = 1.0
    ) -> Any:
        """Update one array with Thinc's Adam; with a ``HeroKey``, at the Hero's rate."""
        require_together(self.over_ranks)
        if isinstance(key, HeroKey) and self.learn_rate:
            lr_scale *= self._rate_of("hero") / self.learn_rate
        return super().__call__(key, weights, gradient, lr_scale=lr_scale)

    def moments_of(self, weight: nn.Parameter) -> dict[str, Tensor]:
        """The optimizer's state for a weight; empty for a weight that it hasn't updated."""
        return {} if self._torch is None else dict(self._torch.state.get(weight, {}))

    def take_in(self, part: str, module: nn.Module, moments: dict[str, dict[str, Tensor]]) -> None:
        """Continue with a module that another AdamW has updated.

        moments: the result of the other's ``moments_of`` for each weight, by name.
        """
        self._add(part, list(module.parameters()))
        for name, weight in module.named_parameters():
            if moments[name] and self._torch is not None:
                remembered = {k: v.to(weight.device, copy=True) for k, v in moments[name].items()}
                self._torch.state[weight] = remembered

    def _rate_of(self, part: str) -> float:
        if part == "hero" and self.hero_learn_rate is not None:
            return self.hero_learn_rate
        return self.learn_rate

    def _add(self, part: str, parameters: Sequence[nn.Parameter]) -> None:
        """Add a module's weights, unless they are known."""
        new = [p for p in parameters if p not in self._known]
        if not new:
            return
        self._known.update(new)
        for weight_decay, chosen in (
            (self.L2, [p for p in new if p.ndim > 1]),
            (0.0, [p for p in new if p.ndim <= 1]),
        ):
            if chosen:
                self._add_group({"params": chosen, "part": part, "weight_decay": weight_decay})

    def _add_group(self, group: dict[str, Any]) -> None:
        if self._torch is None:
            fused = group["params"][0].device.type in ("cpu", "cuda")
            betas = (self.b1, self.b2)
            self._torch = torch.optim.AdamW([group], betas=betas, eps=self.eps, fused=fused)
        else:
            self._torch.add_param_group(group)
