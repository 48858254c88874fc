"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

from ..util.files import sync

UNFINISHED = "unfinished"


@contextmanager
def writing(root: Path, *paths: Path) -> Iterator[list[IO[bytes]]]:
    """Yield files to fill; they take their names when all bytes of all have reached the disk.

    root: the output folder, which has a place for files while they are written. Their names
    there are new ones: of two processes that write the same file, neither spoils the other's.
    """
    unfinished = [root / UNFINISHED / f"{path.stem}-{uuid4().hex}{path.suffix}" for path in paths]
    for folder in {path.parent for path in (*unfinished, *paths)}:
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            files = [stack.enter_context(path.open("wb")) for path in unfinished]
            yield list(files)
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        for written, path in zip(unfinished, paths):
            written.replace(path)
    except BaseException:
        for path in unfinished:
            path.unlink(missing_ok=True)
        raise
    for folder in {path.parent for path in paths}:
        sync(folder)


def write_whole(path: Path, root: Path, data: bytes) -> None:
    """Write a file at once."""
    with writing(root, path) as (file,):
        file.write(data)
