"""How long a training's gradients are before they are clipped, and how often they are."""

import logging
from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

logger = logging.getLogger("spacy_hgn")

KEPT = 1000
"""Steps that are remembered."""

WATCHED = 100
"""Steps after which it is looked whether nearly all were clipped."""

NEARLY_ALL = 0.95


@dataclass(frozen=True)
class Clipping:
    """What steps had in common. median: of their norms. share: of those that were clipped."""

    steps: int
    median: float
    share: float


class GradientNorms:
    """The global norm of each step's gradients, before clipping.

    Norms stay on their device until they are asked for: to read one waits for a GPU.
    """

    def __init__(self) -> None:
        self._norms: deque[Tensor] = deque(maxlen=KEPT)
        self._unread = 0
        self._clip = 0.0
        self._watched = 0
        self._warned = False

    def add(self, norm: Tensor, clip: float) -> None:
        """Remember a step's norm. clip: what it was clipped at, 0 is not at all."""
        self._norms.append(norm.detach())
        self._clip = clip
        self._unread += 1
        self._watched += 1
        if self._watched == WATCHED:
            self._watched = 0
            self._look()

    def read(self) -> Clipping | None:
        """What the steps since the last reading had in common; None where there were none."""
        steps, self._unread = min(self._unread, KEPT), 0
        return self._describe(steps) if steps else None

    def _describe(self, steps: int) -> Clipping:
        norms = torch.stack(list(self._norms)[-steps:]).float().cpu()
        share = (norms > self._clip).float().mean().item() if self._clip else 0.0
        return Clipping(steps, norms.median().item(), share)

    def _look(self) -> None:
        """Warn, once, where clipping decides about nearly every step."""
        if self._warned or not self._clip:
            return
        found = self._describe(WATCHED)
        if found.share >= NEARLY_ALL:
            self._warned = True
            logger.warning(
                "training.optimizer: %.0f %% of the last %d steps were clipped. The gradients' "
                "norm was %.3g (median), grad_clip is %g, so that all steps count alike, however "
                "much they have to teach. Raise grad_clip, or lower the loss_factor of hgn_ner or "
                "what else makes the gradients long. Said once.",
                100 * found.share,
                WATCHED,
                found.median,
                self._clip,
            )
