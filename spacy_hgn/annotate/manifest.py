"""What an output folder is the output of; another command's is refused."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from spacy.util import get_package_path, is_package

from ..util.files import UNFINISHED, digest_of, write_whole
from .inputs import InputFile
from .settings import AnnotateError, AnnotateSettings

MANIFEST = "manifest.json"
VERSION = 2
"""Of the folder: how inputs are cut, and what is where."""

TOLD = 20
"""Differences that are told, at most."""


def describe(settings: AnnotateSettings, files: Sequence[InputFile]) -> dict[str, Any]:
    """What the output depends on. Raises AnnotateError if there is no such pipeline."""
    inputs = {
        file.name: {"format": file.format, "size": file.size, "modified": file.modified}
        for file in files
    }
    return {
        "version": VERSION,
        "pipeline": {
            "sha256": digest_of_pipeline(settings.pipeline),
            "code": None if settings.code is None else digest_of(settings.code),
        },
        "arguments": settings.shaping(),
        "inputs": inputs,
    }


def check_output(output: Path, asked: dict[str, Any]) -> None:
    """Raise AnnotateError, with what differs, unless the folder is new or this run's."""
    path = output / MANIFEST
    if not path.exists():
        if output.exists() and not all(file.suffix == UNFINISHED for file in output.iterdir()):
            raise AnnotateError(f"{output}: expected a new or empty folder, or one of this command")
        return
    try:
        begun = json.loads(path.read_bytes())
        version = begun["version"]
    except (ValueError, LookupError, TypeError) as error:
        raise AnnotateError(f"{path}: expected this command's, got another ({error!r})") from error
    if version != VERSION:
        raise AnnotateError(
            f"{output} was begun by another release of spacy-hgn (in format {version}, this one's "
            f"is {VERSION}). Choose another folder, or end it with that release."
        )
    before, now = _flatten(begun), _flatten(asked)
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    none = "nothing"
    different = [f"{k}: begun with {before.get(k, none)}, now {now.get(k, none)}" for k in keys]
    if not different and [*begun["inputs"]] != [*asked["inputs"]]:
        different = ["inputs: they are in another order"]
    if different:
        raise AnnotateError(
            f"{output} was begun by another command. Choose another folder, or remove this one "
            "to begin anew. Different are:\n" + "\n".join(f"  {line}" for line in different[:TOLD])
        )


def claim_output(output: Path, asked: dict[str, Any]) -> None:
    """Note in the folder what it is the output of, unless it says so already.

    Raises AnnotateError if another run has begun in it meanwhile.
    """
    path = output / MANIFEST
    if not path.exists():
        draft = output / f".{MANIFEST}.{uuid4().hex}{UNFINISHED}"
        write_whole(draft, json.dumps(asked, indent=2).encode())
        try:
            path.hardlink_to(draft)  # of several that begin at once, one can
        except FileExistsError:
            pass
        except OSError:  # a disk without links
            draft.replace(path)
        draft.unlink(missing_ok=True)
    check_output(output, asked)


def digest_of_pipeline(name: str) -> str:
    """The digest of a package's or a folder's files. Raises AnnotateError if there is none."""
    folder = get_package_path(name) if is_package(name) else Path(name)
    if not folder.is_dir():
        raise AnnotateError(f"{name}: expected a package or a folder with a pipeline")
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()} {digest_of(path)}\n".encode())
    return digest.hexdigest()


def _flatten(values: dict[str, Any], place: str = "") -> dict[str, Any]:
    """Values by where they are."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (
            _flatten(value, f"{place}{key}: ") if isinstance(value, dict) else {place + key: value}
        )
    return flat
