"""Replace a pipeline's folder without a half-written state."""

import shutil
from collections.abc import Callable
from pathlib import Path


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder under another name, then replace the old one."""
    unfinished, old = (folder.with_name(folder.name + end) for end in (".unfinished", ".old"))
    for left_over in (unfinished, old):
        shutil.rmtree(left_over, ignore_errors=True)
    write(unfinished)
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
