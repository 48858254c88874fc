"""Everything in a pipeline that training changes, under the same names in any process."""

from collections.abc import Iterator
from typing import Any

import torch
from spacy.language import Language
from thinc.api import Model, PyTorchShim
from torch import Tensor, nn

Key = tuple[int, str]
"""An id, which differs between processes, and an array's name."""

NOT_SETTINGS = ("vocab", "model")


class TrainedModels:
    """The models of all trained components: their layers and torch modules.

    A name consists of the component's name, the index of the layer in its model, and the array's
    name.
    """

    def __init__(self, nlp: Language) -> None:
        """nlp: as spaCy's loop passes it to a logger, with frozen components disabled.

        Raises ValueError for modules of other libraries than torch, and if there is no model.
        """
        self.components: list[Any] = [proc for _, proc in nlp.pipeline if is_trained(proc)]
        if not self.components:
            raise ValueError("There is nothing to train: no component is trained.")
        self.layers: dict[str, Model] = {}
        self.shims: dict[str, Any] = {}
        for component in self.components:
            for i, layer in enumerate(component.model.walk()):
                self.layers[f"{component.name}.{i}"] = layer
                for j, shim in enumerate(layer.shims):
                    if not isinstance(shim, PyTorchShim):
                        raise ValueError(
                            "Checkpoints and several processes only support models of Thinc "
                            f"and torch, but {component.name} has a {type(shim).__name__}."
                        )
                    self.shims[f"{component.name}.{i}.{j}"] = shim

    def arrays(self) -> dict[str, Tensor]:
        """All weights, and the buffers of torch modules and gradient scalers."""
        of_thinc = {
            f"{place}.{name}": torch.tensor(layer.ops.to_numpy(layer.get_param(name)))
            for place, layer, name in self.params()
        }
        return {**of_thinc, **dict(self._of_torch())}

    def load(self, arrays: dict[str, Tensor]) -> None:
        """Load the result of ``arrays``. Raises ValueError if it belongs to other models."""
        own = {name: array.shape for name, array in self.arrays().items()}
        given = {name: array.shape for name, array in arrays.items()}
        if strange := {name for name, _ in own.items() ^ given.items()}:
            raise ValueError(
                "The checkpoint's weights belong to other models. Missing, unexpected, or with "
                f"another shape: {', '.join(sorted(strange))}."
            )
        for place, layer, name in self.params():
            layer.set_param(name, layer.ops.xp.array(arrays[f"{place}.{name}"].numpy()))
        for name, tensor in self._of_torch():
            tensor.copy_(arrays[name])

    def params(self) -> Iterator[tuple[str, Model, str]]:
        """Each array of Thinc's own layers: the layer's name, the layer, the array's name."""
        for place, layer in self.layers.items():
            for name in layer.param_names:
                if layer.has_param(name):
                    yield place, layer, name

    def parameters(self) -> Iterator[tuple[str, Any, str, nn.Parameter]]:
        """Each weight of torch modules: names of shim and weight, and both themselves."""
        for place, shim in self.shims.items():
            for name, weight in parameters_of(shim):
                yield place, shim, name, weight

    def keys(self) -> dict[Key, str]:
        """The names of all weights, by their keys in Thinc's optimizers."""
        of_thinc = {(layer.id, name): f"{place}.{name}" for place, layer, name in self.params()}
        return of_thinc | {
            (shim.id, name): f"{place}.{name}" for place, shim, name, _ in self.parameters()
        }

    def gradients(self) -> list[str]:
        """The names of weights that have a gradient.

        After an update, the gradients are zero. Thinc's optimizers still update such weights, but
        not weights without a gradient.
        """
        params, parameters = self.params(), self.parameters()
        of_thinc = [f"{place}.{name}" for place, layer, name in params if layer.has_grad(name)]
        of_torch = [f"{place}.{name}" for place, _, name, p in parameters if p.grad is not None]
        return of_thinc + of_torch

    def zero_gradients(self, names: list[str]) -> None:
        """Give these weights gradients of zero."""
        for place, layer, name in self.params():
            if f"{place}.{name}" in names:
                layer.set_grad(name, layer.ops.xp.zeros_like(layer.get_param(name)))
        for place, _, name, weight in self.parameters():
            if f"{place}.{name}" in names:
                weight.grad = torch.zeros_like(weight)

    def settings(self) -> dict[str, Tensor]:
        """The settings of components as bytes, without weights and vocabulary.

        A callback in the config may change them during training, as calibration does.
        """
        return {
            component.name: torch.frombuffer(bytearray(_settings_of(component)), dtype=torch.uint8)
            for component in self.components
        }

    def load_settings(self, settings: dict[str, Tensor]) -> None:
        """Load the result of ``settings``."""
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


def is_trained(component: Any) -> bool:
    """Whether spaCy's loop updates the component, unless it is frozen."""
    return getattr(component, "is_trainable", False) and isinstance(component.model, Model)


def parameters_of(shim: Any) -> list[tuple[str, nn.Parameter]]:
    """The weights of a shim's module; empty if it hasn't been built yet."""
    return [] if shim._model is None else list(shim._model.named_parameters())


def _settings_of(component: Any) -> bytes:
    return component.to_bytes(exclude=NOT_SETTINGS)
