"""Norms of gradients before clipping, and how often they are clipped."""

import logging
from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

logger = logging.getLogger("spacy_hgn")

KEPT = 1000
"""The number of steps to remember."""

WATCHED = 100
"""The number of steps after which to check whether nearly all were clipped."""

NEARLY_ALL = 0.95


@dataclass(frozen=True)
class Clipping:
    """Statistics of some steps. median: of the norms. share: of clipped steps."""

    steps: int
    median: float
    share: float


class GradientNorms:
    """The global norm of each step's gradients, before clipping.

    Norms stay on their device until they are needed, because reading one waits for the GPU.
    """

    def __init__(self) -> None:
        self._norms: deque[Tensor] = deque(maxlen=KEPT)
        self._unread = 0
        self._clip = 0.0
        self._watched = 0
        self._warned = False

    def add(self, norm: Tensor, clip: float) -> None:
        """Remember a step's norm. clip: the maximum norm; 0 is no clipping."""
        self._norms.append(norm.detach())
        self._clip = clip
        self._unread += 1
        self._watched += 1
        if self._watched == WATCHED:
            self._watched = 0
            self._look()

    def read(self) -> Clipping | None:
        """Statistics of the steps since the last call; None if there were none."""
        steps, self._unread = min(self._unread, KEPT), 0
        return self._describe(steps) if steps else None

    def _describe(self, steps: int) -> Clipping:
        norms = torch.stack(list(self._norms)[-steps:]).float().cpu()
        share = (norms > self._clip).float().mean().item() if self._clip else 0.0
        return Clipping(steps, norms.median().item(), share)

    def _look(self) -> None:
        """Warn, once, if nearly all steps are clipped."""
        if self._warned or not self._clip:
            return
        found = self._describe(WATCHED)
        if found.share >= NEARLY_ALL:
            self._warned = True
            logger.warning(
                "training.optimizer: %.0f %% of the last %d steps were clipped. The gradients' "
                "norm was %.3g (median) and grad_clip is %g, so all updates have the same size, "
                "however large the loss. Raise grad_clip, or lower the loss_factor of hgn_ner or "
                "anything else that makes the gradients large. This warning is shown once.",
                100 * found.share,
                WATCHED,
                found.median,
                self._clip,
            )
