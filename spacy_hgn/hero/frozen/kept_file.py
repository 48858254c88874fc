"""Tensors in a file, each under a checksum. The file is there as a whole or not at all."""

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

SUFFIX = ".safetensors"


class KeptFile:
    """Tensors that ``write_file`` has written."""

    def __init__(self, path: Path) -> None:
        """Raises OSError or ValueError for a file that can't be read, or was cut short."""
        self.path = path
        try:
            self._file = safe_open(path, framework="pt")
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        self._checksums: dict[str, str] = self._file.metadata() or {}

    def keys(self) -> list[str]:
        """By which there are tensors with checksums."""
        there = set(self._file.keys())
        return [key for key in self._checksums if key in there]

    def get(self, key: str) -> Tensor | None:
        """The tensor of a key, on the host; None where its bytes have changed."""
        tensor = self._file.get_tensor(key)
        return tensor if _checksum(tensor) == self._checksums[key] else None


def write_file(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors on the host. Raises OSError where that fails, and leaves nothing behind."""
    part = path.with_suffix(".part")
    whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
    checksums = {key: _checksum(tensor) for key, tensor in whole.items()}
    try:
        save_file(whole, part, metadata=checksums)
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise error if isinstance(error, OSError) else OSError(str(error)) from error


def _checksum(tensor: Tensor) -> str:
    return f"{zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data):08x}"
