"""A training's folder: the last checkpoint, and the best pipeline so far."""

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

    Each is there whole or not at all, and its name says what must be in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / "lock")

    def require_free(self) -> None:
        """Raise ValueError where another process trains with this folder."""
        if self.path.exists():
            self.lock()
            self.release()

    def lock(self) -> None:
        """Keep others out until ``release``, or until this process ends, however it does.

        Raises ValueError where another process trains with this folder.
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
        """The last checkpoint, None if there is none; what was left half done is cleared away.

        Raises ValueError if it is damaged, or another release wrote it.
        """
        if any(self.path.glob("step-*/state.json")):
            raise ValueError(
                f"The checkpoint in {self.path} is of an earlier release of spacy-hgn. Go on with "
                f"the release that wrote it, or remove {self.path} to begin anew."
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
        """Write a checkpoint; then, and not before, remove those that it replaces.

        Raises OSError where it can't be written; earlier ones are untouched then.
        """
        name = self._write(
            f"step-{checkpoint.step}", lambda unfinished: checkpoint.write(unfinished, arrays)
        )
        self._clear({name, checkpoint.best})

    def keep_best(self, step: int, pipeline: Path) -> str:
        """Keep the best pipeline, that of a step. Returns the name that it has here.

        Raises OSError where it can't be written.
        """
        kept = [path.name for path in self._kept("best") if path.name.startswith(f"best-{step}-")]
        if kept:
            return kept[0]
        return self._write(f"best-{step}", lambda folder: shutil.copytree(pipeline, folder))

    def put_back_best(self, name: str, target: Path) -> None:
        """Put the best pipeline into the place of the target."""
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(self.path / name, target)

    def _write(self, name: str, write: Callable[[Path], object]) -> str:
        """Write a file or folder, which gets its name when all of it has reached the disk."""
        unfinished = self.path / (name + UNFINISHED)
        try:
            _remove(unfinished)
            write(unfinished)
            for inner in (*unfinished.rglob("*"), unfinished):
                sync(inner)
        except (OSError, SafetensorError) as error:
            _remove(unfinished)
            raise OSError(
                f"Can't write the checkpoint {self.path / name}: {error}. Those before it are "
                "untouched: make room, then start the same command again to go on from the last."
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
                f"written (its digest is {found}). Put it back as it was, or remove {self.path} "
                "to begin anew."
            )

    def _clear(self, kept: set[str | None]) -> None:
        """Remove all checkpoints and pipelines but these."""
        for path in (*self._kept("step"), *self._kept("best"), *self.path.glob(f"*{UNFINISHED}")):
            if path.name not in kept:
                _remove(path)

    def _kept(self, kind: str) -> list[Path]:
        return list(self.path.glob(f"{kind}-*-{'[0-9a-f]' * DIGITS}"))


def _digest(path: Path) -> str:
    """Of a file's bytes, or of the names and bytes of a folder's files."""
    if path.is_file():
        return digest_of(path)[:DIGITS]
    files = sorted(inner for inner in path.rglob("*") if inner.is_file())
    lines = [f"{file.relative_to(path).as_posix()} {digest_of(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode("utf8")).hexdigest()[:DIGITS]


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
