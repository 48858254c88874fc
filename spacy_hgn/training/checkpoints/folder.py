"""Folders that are there whole or not at all, under checksums."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from ...util.files import digest_of, sync

MANIFEST = "manifest.json"
UNFINISHED = ".unfinished"


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Yield a folder to fill; it takes its name when all that is in it has reached the disk.

    Raises OSError where that fails, having removed what was written.
    """
    unfinished = folder.with_name(folder.name + UNFINISHED)
    try:
        clear(folder.parent)
        unfinished.mkdir(parents=True)
        yield unfinished
        _seal(unfinished)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise OSError(
            f"Can't write the checkpoint {folder}: {error}. Those before it are untouched: make "
            "room, then start the same command again to go on from the last of them."
        ) from error
    unfinished.rename(folder)
    sync(folder.parent)


def remove(folder: Path) -> None:
    """Remove a folder, which is never seen half removed under its name."""
    shutil.rmtree(folder.rename(folder.with_name(folder.name + UNFINISHED)))


def clear(parent: Path) -> None:
    """Remove what was being written or removed in the parent when its process was killed."""
    for unfinished in parent.glob(f"*{UNFINISHED}"):
        shutil.rmtree(unfinished)


def verify(folder: Path) -> None:
    """Raise ValueError unless the folder's files are those that were written."""
    manifest = folder / MANIFEST
    try:
        expected = json.loads(manifest.read_bytes())["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(_damaged(folder, f"{MANIFEST} can't be read: {error!r}")) from error
    found = {_name(folder, path) for path in _files(folder)}
    if found != set(expected):
        lacking, strange = sorted(set(expected) - found), sorted(found - set(expected))
        raise ValueError(_damaged(folder, f"files that lack: {lacking}, unknown ones: {strange}"))
    for name, digest in expected.items():
        if digest_of(folder / name) != digest:
            raise ValueError(_damaged(folder, f"{name} was cut short or changed"))


def _damaged(folder: Path, what: str) -> str:
    return (
        f"The checkpoint {folder} is damaged: {what}. Put it back as it was, or remove "
        f"{folder.parent} to begin anew."
    )


def _seal(folder: Path) -> None:
    """Write the manifest and wait until all is on the disk."""
    digests = {}
    for path in _files(folder):
        digests[_name(folder, path)] = digest_of(path)
        sync(path)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({"files": digests}, indent=2), encoding="utf8")
    sync(manifest)
    for inner in sorted(path for path in folder.rglob("*") if path.is_dir()):
        sync(inner)
    sync(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / MANIFEST)


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()
