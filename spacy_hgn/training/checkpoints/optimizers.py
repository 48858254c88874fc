"""What an optimizer remembers of the steps done: moments, averages, counts."""

from typing import Any

import torch
from thinc.api import Optimizer, get_current_ops
from thinc.backends import get_array_ops
from torch import Tensor

from ...backend.optimizer import AdamW
from .models import TrainedModels, parameters_of

OF_THINC = ("mom1", "mom2", "averages")


def optimizer_arrays(optimizer: Optimizer, models: TrainedModels) -> dict[str, Tensor]:
    """What it remembers in arrays, each under its kind and the name of the weights."""
    found = {}
    for key, name in models.keys().items():
        for kind in OF_THINC:
            remembered = getattr(optimizer, kind) or {}
            if key in remembered:
                array = get_array_ops(remembered[key]).to_numpy(remembered[key])
                found[f"{kind}:{name}"] = torch.tensor(array)
    if isinstance(optimizer, AdamW):
        for place, shim in models.shims.items():
            for name, weight in parameters_of(shim):
                for kind, tensor in optimizer.moments_of(weight).items():
                    found[f"torch.{kind}:{place}.{name}"] = tensor
    return found


def optimizer_counts(optimizer: Optimizer, models: TrainedModels) -> dict[str, Any]:
    """What it remembers besides, as JSON. Not where its schedules are: a replay brings them
    there."""
    updates = {
        name: optimizer.nr_update[key]
        for key, name in models.keys().items()
        if key in optimizer.nr_update
    }
    known = optimizer.shims if isinstance(optimizer, AdamW) else ()
    places = [place for place, shim in models.shims.items() if shim in known]
    return {"updates": updates, "radam": optimizer._radam_buffer, "shims": places}


def load_optimizer(
    optimizer: Optimizer, models: TrainedModels, arrays: dict[str, Tensor], counts: dict[str, Any]
) -> None:
    """Have a new optimizer remember what ``optimizer_arrays`` and ``optimizer_counts`` told."""
    for key, name in models.keys().items():
        for kind in OF_THINC:
            if f"{kind}:{name}" in arrays:
                array = arrays[f"{kind}:{name}"].numpy()
                getattr(optimizer, kind)[key] = get_current_ops().xp.array(array)
        if name in counts["updates"]:
            optimizer.nr_update[key] = counts["updates"][name]
    optimizer._radam_buffer = counts["radam"]
    if isinstance(optimizer, AdamW):
        moments = _moments(arrays)
        for place in counts["shims"]:
            shim = models.shims[place]
            optimizer.shims.add(shim)
            of_module = {n: moments.get(f"{place}.{n}", {}) for n, _ in parameters_of(shim)}
            optimizer.take_in(shim.part, shim._model, of_module)


def _moments(arrays: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """What torch's AdamW remembers, by the name of the weights, then by kind."""
    found: dict[str, dict[str, Tensor]] = {}
    for label, tensor in arrays.items():
        kind, _, name = label.partition(":")
        if kind.startswith("torch."):
            found.setdefault(name, {})[kind.removeprefix("torch.")] = tensor
    return found
