"""The folder of a training's checkpoints: the last one, and the best pipeline so far."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from ...util.files import UNFINISHED, digest_of, sync
from .checkpoint import Arrays, Checkpoint

DIGITS = 16


class CheckpointFolder:
    """Holds ``step-N-DIGEST``, a file, and ``best-N-DIGEST``, a pipeline's folder.

    Each appears only when it is complete, and its name has a digest of its content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / "lock")

    def require_free(self) -> None:
        """Raise ValueError if another process trains with this folder."""
        if self.path.exists():
            self.lock()
            self.release()

    def lock(self) -> None:
        """Lock the folder until ``release`` or the end of this process.

        Raises ValueError if another process trains with this folder.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise ValueError(
                f"training.logger.path: another process is training with {self.path}. Wait until "
                "it ends, or give this training another path, and another --output."
            ) from error

    def release(self) -> None:
        self._lock.release()

    def last(self) -> tuple[Path, Checkpoint] | None:
        """The last checkpoint; None if there is none. Removes incomplete files.

        Raises ValueError if it is damaged or from another release.
        """
        if any(self.path.glob("step-*/state.json")):
            raise ValueError(
                f"The checkpoint in {self.path} is of an earlier release of spacy-hgn. Resume with "
                f"the release that wrote it, or remove {self.path} to start over."
            )
        found = {int(path.name.split("-")[1]): path for path in self._kept("step")}
        if not found:
            self._clear(set())
            return None
        path = found[max(found)]
        self._verify(path)
        checkpoint = Checkpoint.read(path)
        if checkpoint.best is not None:
            self._verify(self.path / checkpoint.best)
        self._clear({path.name, checkpoint.best})
        return path, checkpoint

    def write(self, checkpoint: Checkpoint, arrays: Arrays) -> None:
        """Write a checkpoint, then remove those that it replaces.

        Raises OSError if it can't be written. Earlier ones are then kept.
        """
        name = self._write(
            f"step-{checkpoint.step}", lambda unfinished: checkpoint.write(unfinished, arrays)
        )
        self._clear({name, checkpoint.best})

    def keep_best(self, step: int, pipeline: Path) -> str:
        """Store the best pipeline, from the given step. Returns its name in this folder.

        Raises OSError if it can't be written.
        """
        kept = [path.name for path in self._kept("best") if path.name.startswith(f"best-{step}-")]
        if kept:
            return kept[0]
        return self._write(f"best-{step}", lambda folder: shutil.copytree(pipeline, folder))

    def put_back_best(self, name: str, target: Path) -> None:
        """Replace the target by the best pipeline."""
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(self.path / name, target)

    def _write(self, name: str, write: Callable[[Path], object]) -> str:
        """Write a file or folder, which gets its name only when it is completely on the disk."""
        unfinished = self.path / (name + UNFINISHED)
        try:
            _remove(unfinished)
            write(unfinished)
            for inner in (*unfinished.rglob("*"), unfinished):
                sync(inner)
        except (OSError, SafetensorError) as error:
            _remove(unfinished)
            raise OSError(
                f"Can't write the checkpoint {self.path / name}: {error}. Earlier ones are "
                "kept: make room, then start the same command again to resume from the last."
            ) from error
        whole = self.path / f"{name}-{_digest(unfinished)}"
        unfinished.rename(whole)
        sync(self.path)
        return whole.name

    def _verify(self, path: Path) -> None:
        found = _digest(path) if path.exists() else "nothing"
        if not path.name.endswith(f"-{found}"):
            raise ValueError(
                f"The checkpoint {path} is damaged: it was cut short or changed since it was "
                f"written (its digest is {found}). Restore it, or remove {self.path} to start "
                "over."
            )

    def _clear(self, kept: set[str | None]) -> None:
        """Remove all checkpoints and pipelines except these."""
        for path in (*self._kept("step"), *self._kept("best"), *self.path.glob(f"*{UNFINISHED}")):
            if path.name not in kept:
                _remove(path)

    def _kept(self, kind: str) -> list[Path]:
        return list(self.path.glob(f"{kind}-*-{'[0-9a-f]' * DIGITS}"))


def _digest(path: Path) -> str:
    """The digest of a file's bytes, or of the names and bytes of a folder's files."""
    if path.is_file():
        return digest_of(path)[:DIGITS]
    files = sorted(inner for inner in path.rglob("*") if inner.is_file())
    lines = [f"{file.relative_to(path).as_posix()} {digest_of(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode("utf8")).hexdigest()[:DIGITS]


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
