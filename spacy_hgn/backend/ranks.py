"""The processes of a run: how many there are, which one this is, and their group."""

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
    """The group of this run's processes, as one of them sees it."""

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process that evaluates and writes."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """Where tensors must be that ranks exchange."""
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
        """Whether all ranks said yes."""
        said = torch.tensor([int(yes)], device=self.device)
        dist.all_reduce(said, dist.ReduceOp.MIN)
        return bool(said.item())


def world_size() -> int:
    """The number of processes that ``torchrun`` started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def current_ranks() -> Ranks | None:
    """The group that this process has joined, None if it's on its own."""
    if not (dist.is_available() and dist.is_initialized()):
        return None
    return Ranks(dist.get_rank(), dist.get_world_size())


def require_together(are_together: bool) -> None:
    """Raise ValueError in one of several processes unless they train together."""
    if (size := world_size()) > 1 and not are_together:
        raise ValueError(
            f"torchrun started {size} processes, but their gradients aren't brought together, "
            "so that each would train a pipeline of its own. Set training.logger to "
            "spacy-hgn.Distributed.v1, or start a single process."
        )


def join(backend: str | None, timeout: float) -> Ranks:
    """Wait for all processes that ``torchrun`` started, each on a GPU of its own if on any.

    backend: torch's; None is gloo on CPUs and NCCL on GPUs. timeout: after how many seconds of
    waiting for another rank a rank gives up.
    Raises ValueError where there are fewer GPUs than ranks.
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
    """End the group, when all have come here."""
    dist.barrier()
    dist.destroy_process_group()


def own_gpu() -> int:
    """The GPU that is this rank's, of those that it sees.

    Raises ValueError where there are fewer GPUs than ranks.
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
    """Leave telling of the run to the first rank; errors are still told."""
    sys.stdout = open(os.devnull, "w", encoding="utf8")  # noqa: SIM115
    for name in ("spacy", "spacy_hgn"):
        logging.getLogger(name).setLevel(logging.ERROR)
