"""What more than one writer of files needs: that bytes have reached the disk, and their digest."""

import hashlib
import os
from pathlib import Path


def sync(path: Path) -> None:
    """Wait until a file, or a folder's names, are on the disk. Raises OSError if that fails."""
    if path.is_dir() and os.name != "posix":  # only there can a folder be opened
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> str:
    """A file's SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
