"""The state of an optimizer: moments, averages, counts."""

from typing import Any

import torch
from thinc.api import Optimizer, get_current_ops
from thinc.backends import get_array_ops
from torch import Tensor

from ...backend.optimizer import AdamW
from ..loop.trained_models import TrainedModels, parameters_of

OF_THINC = ("mom1", "mom2", "averages")


def optimizer_arrays(optimizer: Optimizer, models: TrainedModels) -> dict[str, Tensor]:
    """The arrays of its state, by kind and name of the weights."""
    found = {}
    for key, name in models.keys().items():
        for kind in OF_THINC:
            if (array := (getattr(optimizer, kind) or {}).get(key)) is not None:
                found[f"{kind}:{name}"] = torch.tensor(get_array_ops(array).to_numpy(array))
    if isinstance(optimizer, AdamW):
        for place, _, name, weight in models.parameters():
            for kind, tensor in optimizer.moments_of(weight).items():
                found[f"torch.{kind}:{place}.{name}"] = tensor
    return found


def optimizer_counts(optimizer: Optimizer, models: TrainedModels) -> dict[str, Any]:
    """The rest of its state, for JSON, without its schedules: a replay advances them."""
    keys = models.keys().items()
    known = optimizer.shims if isinstance(optimizer, AdamW) else ()
    return {
        "updates": {n: optimizer.nr_update[key] for key, n in keys if key in optimizer.nr_update},
        "radam": optimizer._radam_buffer,
        "shims": [place for place, shim in models.shims.items() if shim in known],
    }


def load_optimizer(
    optimizer: Optimizer, models: TrainedModels, arrays: dict[str, Tensor], counts: dict[str, Any]
) -> None:
    """Load the results of ``optimizer_arrays`` and ``optimizer_counts`` into a new optimizer."""
    for key, name in models.keys().items():
        for kind in OF_THINC:
            if (array := arrays.get(f"{kind}:{name}")) is not None:
                getattr(optimizer, kind)[key] = get_current_ops().xp.array(array.numpy())
        if name in counts["updates"]:
            optimizer.nr_update[key] = counts["updates"][name]
    optimizer._radam_buffer = counts["radam"]
    if isinstance(optimizer, AdamW):
        for place in counts["shims"]:
            shim = models.shims[place]
            optimizer.shims.add(shim)
            names = [name for name, _ in parameters_of(shim)]
            moments = {name: _moments(arrays, f"{place}.{name}") for name in names}
            optimizer.take_in(shim.part, shim._model, moments)


def _moments(arrays: dict[str, Tensor], weight: str) -> dict[str, Tensor]:
    """The state of torch's AdamW for a weight, by kind."""
    kinds = ("step", "exp_avg", "exp_avg_sq")
    found = {kind: arrays.get(f"torch.{kind}:{weight}") for kind in kinds}
    return {kind: array for kind, array in found.items() if array is not None}
