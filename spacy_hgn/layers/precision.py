"""In which floating point format the torch modules compute."""

from contextlib import AbstractContextManager

import torch

PRECISIONS = ("auto", "float32", "bfloat16")


def check_precision(precision: str) -> str:
    """Return the setting, or raise ValueError with the allowed values."""
    if precision not in PRECISIONS:
        raise ValueError(
            f"Unknown precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}."
        )
    return precision


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context in which a module predicts: bfloat16 products where asked for, or where
    "auto" finds that the processor has instructions for them."""
    enabled = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(device))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
