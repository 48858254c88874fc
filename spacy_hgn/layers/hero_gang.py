"""The Thinc layer over Gang and fusion: the Hero's vectors in, the fused vectors out."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import srsly
import torch
from thinc.api import Model, get_torch_default_device, torch2xp, xp2torch
from thinc.types import ArgsKwargs, Floats2d
from torch import Tensor, nn

from .fusion import FUSIONS
from .gang import RECURRENCES, Gang
from .torch_shim import TorchShim, weights_from_bytes, weights_to_bytes

Vectors = list[Floats2d]


def hero_gang(windows: Sequence[int], recurrence: str, fusion: str) -> Model[Vectors, Vectors]:
    """Fuse every token's vector with the windows around it.

    The layer reads and returns one array a text. *Shapes:* (tokens, nI) and (tokens, nO);
    nO is nI, but ``(len(windows) + 1) * nI`` for the fusion "concat".

    windows: odd widths, each once. recurrence: lstm, gru, rnn, cnn or mlp.
    fusion: mlp, dot, concat or add.
    Raises ValueError for anything else.
    """
    settings = {
        "windows": check_windows(windows),
        "recurrence": _check_choice("recurrence", recurrence, RECURRENCES),
        "fusion": _check_choice("fusion", fusion, FUSIONS),
    }
    return Model(
        "hero_gang",
        forward,
        init=init,
        dims={"nI": None, "nO": None},
        shims=[HeroGangShim(settings)],
    )


def forward(model: Model, vectors: Vectors, is_train: bool) -> tuple[Vectors, Callable]:
    lengths = [len(v) for v in vectors]
    shim = cast(HeroGangShim, model.shims[0])
    xp = model.ops.xp
    if not any(lengths):
        return [model.ops.alloc2f(0, model.get_dim("nO")) for _ in vectors], lambda d: d
    flat = xp.concatenate([v for v in vectors if len(v)])
    z = xp2torch(flat, requires_grad=is_train, device=shim.device)
    fused, torch_backprop = shim(ArgsKwargs(args=(z, lengths), kwargs={}), is_train)

    def backprop(d_fused: Vectors) -> Vectors:
        d_flat = xp.concatenate([d for d in d_fused if len(d)])
        grads = {"grad_tensors": (xp2torch(d_flat, device=shim.device),)}
        d_inputs = torch_backprop(ArgsKwargs(args=((fused,),), kwargs=grads))
        return _split(model, d_inputs.args[0], lengths)

    return _split(model, fused.detach(), lengths), backprop


def init(model: Model, X: Vectors | None = None, Y: Any = None) -> None:
    if model.has_dim("nI") is not True:
        model.set_dim("nI", _width_of(X))
    shim = cast(HeroGangShim, model.shims[0])
    module = shim.build(model.get_dim("nI"))
    model.set_dim("nO", cast(int, module.fusion.width_out))


class HeroGang(nn.Module):
    """Gang, then fusion."""

    def __init__(self, width: int, windows: Sequence[int], recurrence: str, fusion: str) -> None:
        super().__init__()
        self.gang = Gang(width, windows, recurrence)
        self.fusion = FUSIONS[fusion](width, len(windows))

    def forward(self, z: Tensor, lengths: Sequence[int]) -> Tensor:
        """z: *Shape:* (tokens, width). Returns: *Shape:* (tokens, width of the fusion)."""
        return self.fusion(z, self.gang(z, lengths))


class HeroGangShim(TorchShim):
    """Holds the torch module, which is built when the Hero's width is known.

    The width and the settings are stored beside the weights, so that a pipeline can be
    loaded into a model that has never been initialized.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(None, config={"width": None, **settings})

    @property
    def device(self) -> torch.device:
        return get_torch_default_device() if self._model is None else super().device

    def build(self, width: int) -> HeroGang:
        """Make the module anew, with random weights."""
        self.cfg["width"] = width
        self._model = HeroGang(**self.cfg).to(get_torch_default_device())
        return self._model

    def finish_update(self, optimizer: Any) -> None:
        if self._model is not None:
            super().finish_update(optimizer)

    def to_bytes(self) -> bytes:
        weights = weights_to_bytes(self._model) if self._model is not None else b""
        return srsly.msgpack_dumps({"config": self.cfg, "weights": weights})

    def from_bytes(self, bytes_data: bytes) -> "HeroGangShim":
        message = srsly.msgpack_loads(bytes_data)
        for setting in ("windows", "recurrence", "fusion"):
            if message["config"][setting] != self.cfg[setting]:
                raise ValueError(
                    f"The model was trained with {setting} = {message['config'][setting]!r}, "
                    f"but the config says {setting} = {self.cfg[setting]!r}."
                )
        if message["weights"]:
            module = self.build(message["config"]["width"])
            weights_from_bytes(module, message["weights"], "Gang")
        return self


def check_windows(windows: Sequence[int]) -> list[int]:
    """Return the windows, or raise ValueError unless they are odd, positive and distinct."""
    allowed = all(type(w) is int and w > 0 and w % 2 for w in windows)
    if not allowed or len(set(windows)) != len(windows):
        raise ValueError(
            "windows: expected odd whole numbers of 1 or more, each once, such as [5, 7, 9] "
            f"(or [] for the plain Transformer), got {list(windows)!r}."
        )
    return list(windows)


def _check_choice(setting: str, value: str, choices: dict[str, Any]) -> str:
    if value not in choices:
        raise ValueError(f"Unknown {setting}: expected one of {', '.join(choices)}, got {value!r}.")
    return value


def _width_of(vectors: Vectors | None) -> int:
    for array in vectors or []:
        if array.shape[1]:
            return array.shape[1]
    raise ValueError(
        "Can't tell the width of the Hero's vectors: initialize the model with a sample of "
        "non-empty Docs, after the component that the Hero listens to."
    )


def _split(model: Model, flat: Tensor, lengths: list[int]) -> Vectors:
    array = cast(Floats2d, torch2xp(flat))
    return model.ops.unflatten(array, model.ops.asarray1i(lengths), 0)
