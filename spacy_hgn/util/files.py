"""What more than one writer of files needs: files that are whole, on the disk, and their digest."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".unfinished"
"""The suffix of hidden files that aren't whole; a process that is killed leaves them."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, and the folders that it is in: it is there whole or not at all.

    Raises OSError if the disk is full or fails; what was there before stays.
    """
    with replacing(path) as unfinished:
        unfinished.write_bytes(data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; what is there takes the place of another file when it is whole.

    It lies beside it under a new name: of two processes that write the same file, neither spoils
    the other's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}{UNFINISHED}")
    try:
        yield unfinished
        sync(unfinished)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(path.parent)


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
