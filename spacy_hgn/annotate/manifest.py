"""What an output folder is the output of; another command's is refused."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from spacy.util import get_package_path, is_package

from ..util.files import digest_of
from .errors import AnnotatingError
from .inputs import InputFile
from .plan import Shard, dump_places, group, load_places, make_shards, survey_all
from .settings import Settings
from .whole_files import UNFINISHED, write_whole

MANIFEST = "manifest.json"
PLAN = "plan.jsonl"
LOCK = "plan.lock"
VERSION = 1


def plan_run(
    settings: Settings, files: Sequence[InputFile], report: Callable[[InputFile], None]
) -> list[Shard]:
    """The shards of a run: those that its output folder was begun with, or new ones.

    Of several processes that begin at once, one plans and the others wait for it: the jobs of an
    array read the inputs once, and can't mix two plans. The system takes the lock from a process
    that dies. report: is told of each file that has been read.

    Raises AnnotatingError with what differs if the folder holds something else.
    """
    output = settings.output
    if (output / MANIFEST).exists():
        return _go_on(settings, files)
    described = {"version": VERSION, **_describe(settings)}
    if output.exists() and not _is_begun(output):
        raise AnnotatingError(f"{output}: expected a new or empty folder, or one of this command")
    (output / UNFINISHED).mkdir(parents=True, exist_ok=True)
    with FileLock(output / UNFINISHED / LOCK):
        if (output / MANIFEST).exists():
            return _go_on(settings, files)
        return _begin(settings, described, files, report)


def _begin(
    settings: Settings,
    described: dict[str, Any],
    files: Sequence[InputFile],
    report: Callable[[InputFile], None],
) -> list[Shard]:
    """Plan a run, and note what it is."""
    output = settings.output
    surveys = []
    for file, found in zip(files, survey_all(files, settings.unit, settings.shard_size)):
        surveys.append(found)
        report(file)
    places = group(surveys, settings.shard_size)
    write_whole(output / PLAN, output, dump_places(places))
    inputs = [
        {
            "name": file.name,
            "format": file.format,
            "size": found.size,
            "modified": found.modified,
            "sha256": found.digest,
        }
        for file, found in zip(files, surveys)
    ]
    manifest = {**described, "shards": len(places), "inputs": inputs}
    write_whole(output / MANIFEST, output, json.dumps(manifest, indent=2).encode())
    return make_shards(places, files, [(found.size, found.modified) for found in surveys])


def _go_on(settings: Settings, files: Sequence[InputFile]) -> list[Shard]:
    """The shards of a run that was begun."""
    output = settings.output
    manifest = json.loads((output / MANIFEST).read_bytes())
    different = _compare(manifest, {"version": VERSION, **_describe(settings)})
    different += _compare_files(manifest["inputs"], files)
    if different:
        raise AnnotatingError(
            f"{output} was begun by another command. Choose another folder, or remove this one "
            "to begin anew. Different are:\n" + "\n".join(f"  {line}" for line in different)
        )
    places = load_places((output / PLAN).read_bytes())
    stamps = [(stat.st_size, stat.st_mtime_ns) for stat in (file.path.stat() for file in files)]
    return make_shards(places, files, stamps)


def _describe(settings: Settings) -> dict[str, Any]:
    code = None if settings.code is None else digest_of(settings.code)
    return {
        "pipeline": {"sha256": digest_of_pipeline(settings.pipeline), "code": code},
        "arguments": settings.shaping(),
    }


def digest_of_pipeline(name: str) -> str:
    """The digest of a package's or a folder's files.

    Raises AnnotatingError if there is none.
    """
    folder = get_package_path(name) if is_package(name) else Path(name)
    if not folder.is_dir():
        raise AnnotatingError(f"{name}: expected a package or a folder with a pipeline")
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder).as_posix()} {digest_of(path)}\n".encode())
    return digest.hexdigest()


def _compare(begun: Any, asked: dict[str, Any], place: str = "") -> list[str]:
    """What differs, a line each."""
    lines = []
    for key, value in asked.items():
        before = begun.get(key)
        if isinstance(value, dict):
            lines += _compare(before, value, f"{place}{key}.")
        elif before != value:
            lines.append(f"{place}{key}: begun with {before!r}, now {value!r}")
    return lines


def _compare_files(begun: Sequence[dict[str, Any]], files: Sequence[InputFile]) -> list[str]:
    before = {(each["name"], each["format"]): each for each in begun}
    now = {(file.name, file.format): file for file in files}
    lines = [f"inputs: {name} ({kind}) isn't given any more" for name, kind in before.keys() - now]
    lines += [f"inputs: {name} ({kind}) is new" for name, kind in now.keys() - before.keys()]
    if not lines and [*before] != [*now]:
        lines.append("inputs: they are in another order")
    return sorted(lines) + [
        f"inputs: {file.name} has changed since the run began"
        for key, file in now.items()
        if key in before and not _is_unchanged(file.path, before[key])
    ]


def _is_unchanged(path: Path, before: dict[str, Any]) -> bool:
    stat = path.stat()
    if stat.st_size != before["size"]:
        return False
    return stat.st_mtime_ns == before["modified"] or digest_of(path) == before["sha256"]


def _is_begun(output: Path) -> bool:
    """Whether the folder is empty, or a run has begun in it, perhaps at this moment."""
    if not output.is_dir():
        return False
    names = {path.name for path in output.iterdir()}
    return names <= {PLAN, UNFINISHED} or (output / MANIFEST).exists()
