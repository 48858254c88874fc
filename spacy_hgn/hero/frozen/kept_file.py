"""Tensors in a file, each with a checksum. The file appears only when it is complete."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...util.files import replacing

SUFFIX = ".safetensors"


class KeptFile:
    """Tensors written by ``write_file``."""

    def __init__(self, path: Path) -> None:
        """Raises OSError or ValueError for a file that can't be read or is truncated."""
        self.path = path
        try:
            self._file = safe_open(path, framework="pt")
        except SafetensorError as error:
            raise ValueError(str(error)) from error
        self._checksums: dict[str, str] = self._file.metadata() or {}

    def keys(self) -> list[str]:
        """The keys of tensors with checksums."""
        there = set(self._file.keys())
        return [key for key in self._checksums if key in there]

    def get(self, key: str) -> Tensor | None:
        """The tensor of a key, on the host; None if its bytes have changed."""
        tensor = self._file.get_tensor(key)
        return tensor if _checksum(tensor) == self._checksums[key] else None


def write_file(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors on the host. Raises OSError if that fails; no file is then left."""
    whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
    checksums = {key: _checksum(tensor) for key, tensor in whole.items()}
    try:
        with replacing(path) as unfinished:
            save_file(whole, unfinished, metadata=checksums)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _checksum(tensor: Tensor) -> str:
    return f"{zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data):08x}"
