"""Thinc layers over torch modules that read texts laid end to end, unpadded."""

from collections.abc import Callable
from typing import Any, cast

import srsly
import torch
from thinc.api import Model, get_torch_default_device, torch2xp, xp2torch
from thinc.types import ArgsKwargs, Floats2d
from torch import Tensor, nn

from .precision import check_precision
from .torch_shim import TorchShim, weights_from_bytes, weights_to_bytes

Vectors = list[Floats2d]


def ragged_layer(
    name: str,
    module_class: Callable[..., nn.Module],
    settings: dict[str, Any],
    precision: str = "float32",
) -> Model[Vectors, Vectors]:
    """Make a layer that reads and writes one array a text.

    *Shapes:* (tokens, nI) and (tokens, nO); an array without rows may have any width.

    module_class: called as ``module_class(width, **settings)`` when the width of the
    vectors is known. Its ``forward(z, lengths)`` reads all tokens, *shape* (tokens, nI), and
    the number of tokens of each text; its ``width_out`` is nO.
    settings: one that is None is the module's number of outputs, and set from the data.
    precision: what it computes in, "float32", "bfloat16" or "auto".
    """
    return Model(
        name,
        forward,
        init=init,
        dims={"nI": None, "nO": None},
        shims=[RaggedShim(name, module_class, settings, check_precision(precision))],
    )


def forward(model: Model, vectors: Vectors, is_train: bool) -> tuple[Vectors, Callable]:
    lengths = [len(v) for v in vectors]
    shim = cast(RaggedShim, model.shims[0])
    xp = model.ops.xp
    if not any(lengths):
        nothing = [model.ops.alloc2f(0, model.get_dim("nO")) for _ in vectors]
        return nothing, lambda d_output: vectors
    flat = _check_width(model, _join(xp, vectors))
    z = xp2torch(flat, requires_grad=is_train, device=shim.device)
    output, torch_backprop = shim(ArgsKwargs(args=(z, lengths), kwargs={}), is_train)
    output = output.float()

    def backprop(d_output: Vectors) -> Vectors:
        grads = {"grad_tensors": (xp2torch(_join(xp, d_output), device=shim.device),)}
        d_inputs = torch_backprop(ArgsKwargs(args=((output,),), kwargs=grads))
        d_vectors = _split(model, d_inputs.args[0], lengths)
        return [d if len(d) else v for d, v in zip(d_vectors, vectors)]

    return _split(model, output.detach(), lengths), backprop


def init(model: Model, X: Vectors | None = None, Y: Vectors | None = None) -> None:
    if model.has_dim("nI") is not True:
        model.set_dim("nI", _width_of(X))
    outputs = model.maybe_get_dim("nO")
    if outputs is None and Y is not None:
        outputs = _width_of(Y)
    module = cast(RaggedShim, model.shims[0]).build(model.get_dim("nI"), outputs)
    model.set_dim("nO", cast(int, module.width_out))


def ask_module(model: Model, method: str, vectors: Vectors) -> Vectors:
    """What another method of the module than ``forward`` says of the texts, in prediction.

    model: from ``ragged_layer``. method: reads what ``forward`` reads. *Shape of each array:*
    (tokens, whatever the method returns); at least one text has tokens.
    """
    lengths = [len(v) for v in vectors]
    shim = cast(RaggedShim, model.shims[0])
    z = xp2torch(_check_width(model, _join(model.ops.xp, vectors)), device=shim.device)
    with shim.predicting() as module:
        output = getattr(module, method)(z, lengths)
    return _split(model, output.float(), lengths)


class RaggedShim(TorchShim):
    """Holds the torch module, which is built when the vectors' width is known.

    The width and the settings are stored beside the weights, so that a pipeline can be
    loaded into a model that has never been initialized.
    """

    def __init__(
        self,
        name: str,
        module_class: Callable[..., nn.Module],
        settings: dict[str, Any],
        precision: str,
    ) -> None:
        super().__init__(None, config={"width": None, **settings})
        self.precision = precision
        self.name = name
        self.module_class = module_class

    @property
    def device(self) -> torch.device:
        return get_torch_default_device() if self._model is None else super().device

    def build(self, width: int, outputs: int | None = None) -> nn.Module:
        """Make the module anew, with random weights."""
        self._model = self._make(width, outputs).to(get_torch_default_device())
        return self._model

    def finish_update(self, optimizer: Any) -> None:
        if self._model is not None:
            super().finish_update(optimizer)

    def to_bytes(self) -> bytes:
        message: dict[str, Any] = {"config": self.cfg, "outputs": None, "weights": None}
        if self._model is not None:
            message["outputs"] = self._model.width_out
            message["weights"] = weights_to_bytes(self._model)
        return srsly.msgpack_dumps(message)

    def from_bytes(self, bytes_data: bytes) -> "RaggedShim":
        message = srsly.msgpack_loads(bytes_data)
        stored = message["config"]
        for setting in self.cfg:
            if setting != "width" and stored[setting] != self.cfg[setting]:
                raise ValueError(
                    f"The model was trained with {setting} = {stored[setting]!r}, but the config "
                    f"says {setting} = {self.cfg[setting]!r}."
                )
        if message["weights"] is not None:
            module = self._make(stored["width"], message["outputs"])
            weights_from_bytes(module, message["weights"], self.name)
            self._model = module
        return self

    def _make(self, width: int, outputs: int | None) -> nn.Module:
        self.cfg["width"] = width
        settings = {name: outputs if value is None else value for name, value in self.cfg.items()}
        return self.module_class(**settings)


def _width_of(vectors: Vectors | None) -> int:
    for array in vectors or []:
        if array.shape[1]:
            return array.shape[1]
    raise ValueError(
        "Can't tell the width of the Hero's vectors: initialize the model with a sample of "
        "non-empty Docs, after the component that the Hero listens to."
    )


def _check_width(model: Model, flat: Floats2d) -> Floats2d:
    if flat.shape[1] != model.get_dim("nI"):
        raise ValueError(
            f"The vectors that {model.name} reads have width {flat.shape[1]}, but it was trained "
            f"on width {model.get_dim('nI')}: they come from another Hero. Load the pipeline's "
            "components as they were saved together."
        )
    return flat


def _join(xp: Any, arrays: Vectors) -> Floats2d:
    """All rows in one array; of a single array, that one and no copy."""
    arrays = [array for array in arrays if len(array)]
    return arrays[0] if len(arrays) == 1 else xp.concatenate(arrays)


def _split(model: Model, flat: Tensor, lengths: list[int]) -> Vectors:
    array = cast(Floats2d, torch2xp(flat))
    return model.ops.unflatten(array, model.ops.asarray1i(lengths), 0)
