"""The processes of a run under ``torchrun``, called ranks."""

import logging
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from thinc.api import get_torch_default_device
from thinc.util import set_active_gpu


@dataclass(frozen=True)
class Ranks:
    """This process's rank and the number of ranks."""

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this rank evaluates and writes."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """The device for tensors that ranks exchange."""
        return get_torch_default_device()

    def from_first(self, value: Any) -> Any:
        """The first rank's value, on all ranks."""
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def of_all(self, value: Any) -> list[Any]:
        """All ranks' values, on all ranks."""
        values = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def all_say(self, yes: bool) -> bool:
        """Whether ``yes`` is true on all ranks."""
        said = torch.tensor([int(yes)], device=self.device)
        dist.all_reduce(said, dist.ReduceOp.MIN)
        return bool(said.item())


def world_size() -> int:
    """The number of processes started by ``torchrun``; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def current_ranks() -> Ranks | None:
    """The ranks that this process has joined; None for a single process."""
    if not (dist.is_available() and dist.is_initialized()):
        return None
    return Ranks(dist.get_rank(), dist.get_world_size())


def require_together(are_together: bool) -> None:
    """Raise ValueError if there are several processes that don't train together."""
    if (size := world_size()) > 1 and not are_together:
        raise ValueError(
            f"torchrun started {size} processes, but their gradients aren't summed, so each "
            "would train its own pipeline. Set training.logger to "
            "spacy-hgn.Distributed.v1, or start a single process."
        )


def join(backend: str | None, timeout: float) -> Ranks:
    """Wait for all processes started by ``torchrun``. On GPUs, each uses its own.

    backend: torch's; None is gloo on CPUs and NCCL on GPUs. timeout: maximum seconds to wait for
    another rank. Raises ValueError if there are fewer GPUs than ranks.
    """
    if (ranks := current_ranks()) is not None:
        return ranks
    on_gpu = get_torch_default_device().type == "cuda"
    if on_gpu:
        set_active_gpu(own_gpu())
    dist.init_process_group(
        backend or ("cpu:gloo,cuda:nccl" if on_gpu else "gloo"),
        timeout=timedelta(seconds=timeout),
    )
    ranks = Ranks(dist.get_rank(), dist.get_world_size())
    if not ranks.is_first:
        _fall_silent()
    return ranks


def leave() -> None:
    """Wait for all ranks, then end the group."""
    dist.barrier()
    dist.destroy_process_group()


def own_gpu() -> int:
    """The number of this rank's GPU among the visible ones.

    Raises ValueError if there are fewer GPUs than ranks.
    """
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if local_rank >= (found := torch.cuda.device_count()):
        raise ValueError(
            f"Rank {os.environ['RANK']} expects GPU {local_rank} of its machine to be its own, "
            f"but finds {found}. Start as many processes as there are GPUs: "
            f"torchrun --nproc-per-node {found}."
        )
    return local_rank


def _fall_silent() -> None:
    """Silence this rank, except for errors."""
    sys.stdout = open(os.devnull, "w", encoding="utf8")  # noqa: SIM115
    for name in ("spacy", "spacy_hgn"):
        logging.getLogger(name).setLevel(logging.ERROR)
