"""Keep the token vectors of texts, so that a frozen Hero reads each text once."""

import errno
import logging
import os
import uuid
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...util.files import replacing

logger = logging.getLogger("spacy_hgn")

SUFFIX = ".safetensors"
GIGABYTE = 1024**3
FILE_SIZE = 256 * 1024**2
"""The size at which vectors are written to a file."""


class KeptFile:
    """Tensors in a file, each with a checksum, as ``write_file`` writes them."""

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


class KeptVectors:
    """Tensors by key, in memory or in the files of a folder, up to a limit.

    Files are written completely and have unique names. So any number of processes can share a
    folder, and a killed process leaves no half-written file. Other processes see new files when
    they start. A copy or pickle only has the tensors in the folder.
    """

    def __init__(self, limit: float, folder: Path | None = None) -> None:
        """limit: maximum gigabytes, in memory or in the folder. folder: for the tensors of one Hero
        and setting only. Raises ValueError for a folder that can't be written."""
        self.limit = limit * GIGABYTE
        self.folder = folder
        self.size = 0
        self._is_full = False
        self._pending: dict[str, Tensor] = {}
        self._pending_size = 0
        self._files: dict[str, KeptFile] = {}
        if folder is not None:
            self._open_folder(folder)

    def __reduce__(self) -> tuple[type, tuple]:
        return KeptVectors, (self.limit / GIGABYTE, self.folder)

    def __len__(self) -> int:
        return len(self._pending) + len(self._files)

    def get(self, key: str) -> Tensor | None:
        """The tensor of a key, on the host; None if it isn't kept."""
        if (found := self._pending.get(key)) is not None:
            return found
        if (file := self._files.get(key)) is None:
            return None
        tensor = file.get(key)
        if tensor is None:
            self._leave_out(file)
        return tensor

    def put(self, key: str, tensor: Tensor) -> None:
        """Keep a tensor, if there is room."""
        size = tensor.nbytes
        if self._is_full or key in self._pending or key in self._files:
            return
        if self.size + size > self.limit:
            self._stop(f"the limit of {self.limit / GIGABYTE:.3g} GB is reached (setting keep)")
            return
        self._pending[key] = tensor.cpu()
        self.size += size
        self._pending_size += size
        if self._pending_size >= FILE_SIZE:
            self.write()

    def write(self) -> None:
        """Write new tensors to the folder. Without a folder, they stay in memory."""
        if self.folder is None or not self._pending:
            return
        path = self.folder / f"{uuid.uuid4().hex}{SUFFIX}"
        try:
            write_file(path, self._pending)
        except OSError as error:
            reason, self.folder = f"{self.folder} can't be written ({_reason(error)})", None
            self._stop(reason)
            return
        self._pending.clear()
        self._pending_size = 0
        self._open(path)
        self.size = _size_of(self.folder)

    def _open_folder(self, folder: Path) -> None:
        reason = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = _reason(error)
        if reason or not os.access(folder, os.W_OK):
            raise ValueError(
                f"Can't keep vectors in {folder}: {reason or 'permission denied'}. Expected a "
                "folder that can be written, or kept_in = null for memory."
            )
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            self._open(path)
        self.size = _size_of(folder)

    def _open(self, path: Path) -> None:
        try:
            file = KeptFile(path)
        except (OSError, ValueError) as error:
            _warn_of(path, str(error))
        else:
            self._files.update(dict.fromkeys(file.keys(), file))

    def _leave_out(self, damaged: KeptFile) -> None:
        _warn_of(damaged.path, "their checksum is wrong")
        self._files = {key: file for key, file in self._files.items() if file is not damaged}

    def _stop(self, reason: str) -> None:
        if self.limit and not self._is_full:
            logger.warning(
                "No more token vectors are kept: %s. The Hero reads the other texts again each "
                "time; results don't change.",
                reason,
            )
        self._is_full = True


def _size_of(folder: Path) -> int:
    size = 0
    for path in folder.glob(f"*{SUFFIX}"):
        with suppress(FileNotFoundError):  # another process has removed it
            size += path.stat().st_size
    return size


def _warn_of(path: Path, reason: str) -> None:
    logger.warning(
        "Vectors in %s are ignored: %s. Their texts are read again; you can delete the file.",
        path,
        reason,
    )


def _reason(error: OSError) -> str:
    return "no space left on the device" if error.errno == errno.ENOSPC else str(error)


def write_file(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors on the host. The file appears only when it is complete.

    Raises OSError if that fails; no file is then left.
    """
    whole = {key: tensor.contiguous() for key, tensor in tensors.items()}
    checksums = {key: _checksum(tensor) for key, tensor in whole.items()}
    try:
        with replacing(path) as unfinished:
            save_file(whole, unfinished, metadata=checksums)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _checksum(tensor: Tensor) -> str:
    return f"{zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data):08x}"
