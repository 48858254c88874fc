"""Token vectors of texts that a frozen Hero has read, so that it reads each text once."""

import errno
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

logger = logging.getLogger("spacy_hgn")

GIGABYTE = 1024**3
FILE_SIZE = 256 * 1024**2
"""How much is gathered before it is written."""


class KeptVectors:
    """Tensors by key: in memory or, where a folder is given, in files, until there is no room.

    Files are written whole, under names of their own: any number of processes may share a
    folder, and one that is killed leaves nothing half written. What one writes, others see when
    they begin.
    """

    def __init__(self, limit: float, folder: Path | None = None) -> None:
        """limit: gigabytes, in memory or of all files in the folder. folder: where the tensors of
        one Hero under one setting are, and no others."""
        self.limit = limit * GIGABYTE
        self.folder = folder
        self.size = 0
        self._is_full = False
        self._pending: dict[str, Tensor] = {}
        self._pending_size = 0
        self._files: dict[str, safe_open] = {}
        if folder is not None:
            self._open_folder(folder)

    def __len__(self) -> int:
        return len(self._pending) + len(self._files)

    def get(self, key: str) -> Tensor | None:
        """The tensor of a key, on the host; None where it isn't kept."""
        if (found := self._pending.get(key)) is not None:
            return found
        file = self._files.get(key)
        return None if file is None else file.get_tensor(key)

    def put(self, key: str, tensor: Tensor) -> None:
        """Keep a tensor, unless there is no room for it."""
        size = tensor.nbytes
        if self._is_full or key in self._pending or key in self._files:
            return
        if self.size + size > self.limit:
            self._stop(f"the limit of {self.limit / GIGABYTE:.3g} GB is reached (setting keep)")
            return
        self._pending[key] = tensor.cpu()
        self.size += size
        self._pending_size += size
        if self.folder is not None and self._pending_size >= FILE_SIZE:
            self.write()

    def write(self) -> None:
        """Write what isn't written yet; where there is no folder, it stays in memory."""
        if self.folder is None or not self._pending:
            return
        path = self.folder / f"{uuid.uuid4().hex}.safetensors"
        part = path.with_suffix(".part")
        try:
            save_file({key: t.contiguous() for key, t in self._pending.items()}, part)
            os.replace(part, path)
        except (OSError, SafetensorError) as error:
            part.unlink(missing_ok=True)
            self._stop(f"{self.folder} can't be written ({_reason(error)})")
            return
        self._pending.clear()
        self._pending_size = 0
        self._open(path)

    def clear(self) -> None:
        """Forget all that is in memory."""
        self.__init__(self.limit / GIGABYTE, self.folder)  # type: ignore[misc]

    def _open_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"Can't keep vectors in {folder}: {_reason(error)}. Expected a folder that can be "
                "written, or kept_in = null for memory."
            ) from error
        for path in sorted(folder.glob("*.safetensors")):
            self._open(path)

    def _open(self, path: Path) -> None:
        try:
            file = safe_open(path, framework="pt")
        except (OSError, SafetensorError) as error:
            logger.warning(
                "Vectors in %s are left out: %s. Their texts are read anew.", path, error
            )
            return
        self._files.update(dict.fromkeys(file.keys(), file))
        if path.exists():
            self.size = sum(each.stat().st_size for each in _sizes(path.parent))

    def _stop(self, reason: str) -> None:
        self._is_full = True
        logger.warning(
            "No more token vectors are kept: %s. The Hero reads the other texts anew each time; "
            "nothing else changes.",
            reason,
        )


def _sizes(folder: Path) -> Iterator[Path]:
    return folder.glob("*.safetensors")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the device"
    return str(error)
