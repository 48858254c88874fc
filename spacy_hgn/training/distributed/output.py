"""Pipelines' folders that are never seen half written under their name."""

import shutil
from collections.abc import Callable
from pathlib import Path

UNFINISHED = ".unfinished"
OLD = ".old"


def write_whole(folder: Path, write: Callable[[Path], None]) -> None:
    """Have a folder written beside the one that it replaces, then put it there."""
    unfinished = _cleared(folder, UNFINISHED)
    write(unfinished)
    old = _cleared(folder, OLD)
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    if old.exists():
        shutil.rmtree(old)


def copy_whole(source: Path, folder: Path) -> None:
    """Put a copy of the source into the place of the folder."""
    write_whole(folder, lambda unfinished: _copy(source, unfinished))


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target)


def _cleared(folder: Path, ending: str) -> Path:
    """The path with the ending, with nothing there that a killed process left."""
    path = folder.with_name(folder.name + ending)
    if path.exists():
        shutil.rmtree(path)
    return path
