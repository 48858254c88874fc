"""The manifest of an output folder, which keeps different runs apart."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from spacy.util import dict_to_dot, get_package_path, is_package

from ..util.files import UNFINISHED, digest_of, write_whole
from .inputs import InputFile
from .settings import AnnotateError, AnnotateSettings

MANIFEST = "manifest.json"
VERSION = 2
"""Version of the folder's layout and of how inputs are cut into shards."""

TOLD = 20
"""Maximum number of differences in a message."""


def describe(settings: AnnotateSettings, files: Sequence[InputFile]) -> dict[str, Any]:
    """Everything the output depends on. Raises AnnotateError if the pipeline doesn't exist."""
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
    """Raise AnnotateError, with the differences, unless the folder is new or this run's."""
    path = output / MANIFEST
    if not path.exists():
        if output.exists() and not all(file.suffix == UNFINISHED for file in output.iterdir()):
            raise AnnotateError(f"{output}: expected a new or empty folder, or this command's")
        return
    try:
        begun = json.loads(path.read_bytes())
        version = begun["version"]
    except (ValueError, LookupError, TypeError) as error:
        raise AnnotateError(f"{path}: expected this command's manifest, got {error!r}") from error
    if version != VERSION:
        raise AnnotateError(
            f"{output} was begun by another release of spacy-hgn (format {version}, this one has "
            f"format {VERSION}). Choose another folder, or finish the run with that release."
        )
    before, now = dict_to_dot(begun), dict_to_dot(asked)
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    none = "nothing"
    different = [f"{k}: begun with {before.get(k, none)}, now {now.get(k, none)}" for k in keys]
    if not different and [*begun["inputs"]] != [*asked["inputs"]]:
        different = ["inputs: their order"]
    if different:
        raise AnnotateError(
            f"{output} was begun by another command. Choose another folder, or remove this one "
            "to start over. Differences:\n" + "\n".join(f"  {line}" for line in different[:TOLD])
        )


def claim_output(output: Path, asked: dict[str, Any]) -> None:
    """Write the manifest into the folder, unless it is already there.

    Raises AnnotateError if another run has begun in the folder in the meantime.
    """
    path = output / MANIFEST
    if not path.exists():
        draft = output / f".{MANIFEST}.{uuid4().hex}{UNFINISHED}"
        write_whole(draft, json.dumps(asked, indent=2).encode())
        try:
            path.hardlink_to(draft)  # if several runs start at once, one succeeds
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            draft.replace(path)
        draft.unlink(missing_ok=True)
    check_output(output, asked)


def digest_of_pipeline(name: str) -> str:
    """The digest of a package's or folder's files. Raises AnnotateError if it doesn't exist."""
    folder = get_package_path(name) if is_package(name) else Path(name)
    if not folder.is_dir():
        raise AnnotateError(f"{name}: expected a package or a folder with a pipeline")
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()} {digest_of(path)}\n".encode())
    return digest.hexdigest()
