"""The floating point format of the torch modules."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from thinc.api import Model

PRECISIONS = ("auto", "float32", "bfloat16")


def check_precision(precision: str) -> str:
    """Return the setting, or raise ValueError with the allowed values."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"Unknown precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}."
        )
    return precision


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context for computing in a precision. With "auto", it is bfloat16 if the device has
    instructions for it."""
    enabled = resolve_precision(precision, device) == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def resolve_precision(precision: str, device: torch.device) -> str:
    """The format on this device: the setting, or the choice of "auto"."""
    if precision != "auto":
        return precision
    return "bfloat16" if has_fast_bfloat16(device) else "float32"


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


@contextmanager
def predicting_in(precision: str, models: Iterable[Model]) -> Iterator[None]:
    """Let models predict in this precision inside the context, whatever their config says.

    Raises ValueError for an unknown precision.
    """
    check_precision(precision)
    shims = [shim for model in models for shim in shims_with_precision(model)]
    configured = [shim.precision for shim in shims]
    try:
        for shim in shims:
            shim.precision = precision
        yield
    finally:
        for shim, setting in zip(shims, configured):
            shim.precision = setting


def shims_with_precision(model: Model) -> list[Any]:
    """The shims in a component's model whose precision the config sets."""
    shims = [shim for node in model.walk() for shim in node.shims]
    return [shim for shim in shims if getattr(shim, "has_precision", False)]
