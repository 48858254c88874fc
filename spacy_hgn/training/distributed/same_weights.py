"""Check that all ranks train the same model."""

import zlib
from typing import Any

import torch
import torch.distributed as dist

from ...backend.ranks import Ranks
from ..loop.trained_models import TrainedModels

SHOWN = 5


def require_same_models(models: TrainedModels, ranks: Ranks) -> None:
    """Raise ValueError if names or shapes of weights, or labels, differ between ranks."""
    own: dict[str, Any] = {
        name: f"{tuple(array.shape)} {array.dtype}" for name, array in models.arrays().items()
    }
    for component in models.components:
        own[f"{component.name}.labels"] = tuple(getattr(component, "labels", ()))
    found = _differences(own, ranks)
    if found:
        raise ValueError(
            "The ranks' pipelines differ. Start all with the same config and the same data. "
            f"Differences: {found}"
        )


def require_same_weights(models: TrainedModels, ranks: Ranks) -> None:
    """Raise ValueError if any rank's weights differ from the first rank's in any bit."""
    own = {name: zlib.crc32(_bytes(array)) for name, array in models.arrays().items()}
    found = _differences(own, ranks)
    if found:
        raise ValueError(
            "The ranks' weights are no longer the same. Something in the training differs "
            f"between ranks, such as a callback in the config. Checksums: {found}"
        )


def take_first_weights(models: TrainedModels, ranks: Ranks) -> None:
    """Copy the first rank's weights to all ranks."""
    arrays = {}
    for name, array in models.arrays().items():
        sent = array.detach().to(ranks.device, copy=True).contiguous()
        dist.broadcast(sent, src=0)
        arrays[name] = sent.cpu()
    if not ranks.is_first:
        with torch.no_grad():
            models.load(arrays)


def _bytes(array: torch.Tensor) -> memoryview:
    return array.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def _differences(own: dict[str, Any], ranks: Ranks) -> str:
    """A message with some of the differences from the first rank."""
    first, *others = ranks.of_all(own)
    found = [
        f"{name} is {other.get(name, 'missing')} on rank {rank}, {first.get(name, 'missing')} on 0"
        for rank, other in enumerate(others, start=1)
        for name in sorted(first.keys() | other.keys())
        if first.get(name) != other.get(name)
    ]
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more + ("." if found else "")
