"""Everything in a pipeline that training changes, by names that any process finds again."""

from collections.abc import Iterator
from typing import Any

import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim
from torch import Tensor, nn

Key = tuple[int, str]
"""What Thinc's optimizers know an array by; its number is another in every process."""

NOT_SETTINGS = ("vocab", "model")


class TrainedModels:
    """The models of the components that are trained: their layers, and torch's modules in them.

    A name is the component's, the layer's place in its model, and the array's.
    """

    def __init__(self, nlp: Language) -> None:
        """nlp: frozen components are disabled, as spaCy's loop hands it to a logger.

        Raises ValueError for modules of other libraries than torch, and for no model at all.
        """
        self.components: list[Any] = [proc for _, proc in nlp.pipeline if is_trained(proc)]
        if not self.components:
            raise ValueError("There is nothing to checkpoint: no component is trained.")
        self.layers: dict[str, Model] = {}
        self.shims: dict[str, Any] = {}
        for component in self.components:
            for i, layer in enumerate(component.model.walk()):
                self.layers[f"{component.name}.{i}"] = layer
                for j, shim in enumerate(layer.shims):
                    if not isinstance(shim, PyTorchShim):
                        raise ValueError(
                            f"Checkpoints hold Thinc's and torch's models alone, but "
                            f"{component.name} has a {type(shim).__name__}."
                        )
                    self.shims[f"{component.name}.{i}.{j}"] = shim

    def arrays(self) -> dict[str, Tensor]:
        """All weights, with what torch's modules and gradient scalers hold besides."""
        found = {
            f"{place}.{name}": torch.tensor(layer.ops.to_numpy(layer.get_param(name)))
            for place, layer in self.layers.items()
            for name in layer.param_names
            if layer.has_param(name)
        }
        return {**found, **dict(self._of_torch())}

    def load(self, arrays: dict[str, Tensor]) -> None:
        """Take back what ``arrays`` returned. Raises ValueError for those of other models."""
        own = self.arrays()
        strange = {
            name for name in own.keys() | arrays.keys() if _shape(own, name) != _shape(arrays, name)
        }
        if strange:
            raise ValueError(
                "The checkpoint's weights belong to other models: these lack, are too many, or "
                f"have another shape: {', '.join(sorted(strange))}."
            )
        for place, layer in self.layers.items():
            for name in layer.param_names:
                if layer.has_param(name):
                    layer.set_param(name, layer.ops.xp.array(arrays[f"{place}.{name}"].numpy()))
        for name, tensor in self._of_torch():
            tensor.copy_(arrays[name])

    def keys(self) -> dict[Key, str]:
        """The names of all weights, by what Thinc's optimizers know them by."""
        found = {
            (layer.id, name): f"{place}.{name}"
            for place, layer in self.layers.items()
            for name in layer.param_names
        }
        for place, shim in self.shims.items():
            for name, _ in parameters_of(shim):
                found[shim.id, name] = f"{place}.{name}"
        return found

    def holding_gradients(self) -> list[str]:
        """The names of weights that have a gradient.

        After an update they are zero; but Thinc's optimizers go on moving such weights, and
        leave those alone that have none.
        """
        ours = [f"{p}.{name}" for p, layer in self.layers.items() for name in layer.grad_names]
        return ours + [
            f"{place}.{name}"
            for place, shim in self.shims.items()
            for name, weight in parameters_of(shim)
            if weight.grad is not None
        ]

    def lay_gradients(self, names: list[str]) -> None:
        """Give these weights gradients of zero."""
        chosen = set(names)
        for place, layer in self.layers.items():
            for name in layer.param_names:
                if f"{place}.{name}" in chosen:
                    layer.set_grad(name, layer.ops.xp.zeros_like(layer.get_param(name)))
        for place, shim in self.shims.items():
            for name, weight in parameters_of(shim):
                if f"{place}.{name}" in chosen:
                    weight.grad = torch.zeros_like(weight)

    def settings(self) -> dict[str, Tensor]:
        """What components hold besides weights and vocabulary, as bytes.

        A callback of the config may change that on the way, as one that calibrates does.
        """
        return {
            component.name: torch.frombuffer(bytearray(_settings_of(component)), dtype=torch.uint8)
            for component in self.components
        }

    def load_settings(self, settings: dict[str, Tensor]) -> None:
        """Take back what ``settings`` returned."""
        for component in self.components:
            stored = settings[component.name].numpy().tobytes()
            if stored != _settings_of(component):
                component.from_bytes(stored, exclude=NOT_SETTINGS)

    def _of_torch(self) -> Iterator[tuple[str, Tensor]]:
        for place, shim in self.shims.items():
            if shim._model is not None:
                for name, tensor in shim._model.state_dict().items():
                    yield f"{place}.{name}", tensor
            yield f"{place}:scale", shim._grad_scaler._scale
            yield f"{place}:growth", shim._grad_scaler._growth_tracker


def _settings_of(component: Any) -> bytes:
    return component.to_bytes(exclude=NOT_SETTINGS)


def is_trained(component: Any) -> bool:
    """Whether spaCy's loop has an optimizer update the component, unless it's frozen."""
    return getattr(component, "is_trainable", False) and isinstance(component.model, Model)


def parameters_of(shim: Any) -> list[tuple[str, nn.Parameter]]:
    """The weights of a shim's module, which may not have been made yet."""
    return [] if shim._model is None else list(shim._model.named_parameters())


def _shape(arrays: dict[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(arrays[name].shape) if name in arrays else None
