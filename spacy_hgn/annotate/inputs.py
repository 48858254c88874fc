"""The files to annotate, with their formats and fields."""

import glob
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .settings import AnnotateError, AnnotateSettings

SUFFIXES = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".spacy": "docbin",
}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")

FIRST = 100
"""The number of records per file that are searched for a field."""


@dataclass(frozen=True)
class InputFile:
    """A file to annotate, as it is at the start of the run.

    name: its name in ids. size: in bytes. modified: its modification time in nanoseconds.
    """

    name: str
    path: Path
    format: str
    size: int
    modified: int

    def check_unchanged(self) -> None:
        """Raise AnnotateError if the file has changed."""
        stat = self.path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (self.size, self.modified):
            raise AnnotateError(f"{self.path} has changed since the run began")


def find_inputs(patterns: Sequence[str], output: Path, format: str = "auto") -> list[InputFile]:
    """The files in paths, folders and globs, each once, in the given order.

    In a folder, these are all files with a known suffix at any depth, or all files if a format is
    given. Hidden files are left out, and so are files in the output folder.

    Raises AnnotateError if there is no file, if a suffix is unknown, or if the output folder is
    inside an input folder.
    """
    found: dict[Path, InputFile] = {}
    for pattern in patterns:
        if Path(pattern).is_dir() and _is_below(Path(pattern), output):
            raise AnnotateError(
                f"{output}: expected an output folder outside the inputs, got one in {pattern}"
            )
        paths = [path for path in _expand(pattern, format) if not _is_below(output, path)]
        if not paths:
            known = "files" if format != "auto" else f"{', '.join(SUFFIXES)} files"
            raise AnnotateError(
                f"{pattern}: expected a file, a folder with {known} or a glob, "
                f"outside {output}, got none"
            )
        for path in paths:
            found.setdefault(path.resolve(), _make_input(path, format))
    return list(found.values())


def check_fields(files: Sequence[InputFile], settings: AnnotateSettings) -> None:
    """Raise AnnotateError if a requested field isn't in the first records of any file.

    Under their default names, "id" and "meta" are optional.
    """
    asked = [("text", settings.text), ("id", settings.id), ("meta", settings.meta)]
    missing = {option: name for option, name in asked if option == "text" or name != option}
    fields: dict[str, None] = {}  # a set that keeps its order
    for file in files:
        for record in _first_records(file):
            fields |= dict.fromkeys(record)
            missing = {option: name for option, name in missing.items() if name not in fields}
            if not missing:
                return
    for option, name in missing.items():
        if fields:
            raise AnnotateError(
                f'--{option} {name}: expected a field "{name}" in the first {FIRST} records of a '
                f"file, got {', '.join(fields)}"
            )


def require_pyarrow() -> None:
    """Raise AnnotateError, with the command to install it, if pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise AnnotateError(
            f"Parquet needs pyarrow ({error}): pip install 'spacy-hgn[annotate]'; "
            "or use other inputs and write DocBin, --to docbin."
        ) from error


def raise_unless_damaged(error: Exception) -> None:
    """Raise the error again if it comes from the disk, not from damaged bytes in a Parquet file.

    For damaged bytes, pyarrow raises ValueError, or OSError without an error number.
    """
    if isinstance(error, OSError) and error.errno is not None:
        raise error


def _first_records(file: InputFile) -> Iterator[Sequence[str]]:
    """The fields of a file's first records."""
    if file.format == "jsonl":
        with file.path.open("rb") as stream:
            for line in islice(stream, FIRST):
                with suppress(ValueError, RecursionError):  # reported when the document is read
                    record = json.loads(line)
                    yield list(record) if isinstance(record, dict) else []
    elif file.format == "parquet":
        from pyarrow.parquet import read_schema

        try:
            yield read_schema(file.path).names
        except (ValueError, OSError) as error:
            raise_unless_damaged(error)


def _make_input(path: Path, format: str) -> InputFile:
    if path.suffix in COMPRESSED:
        raise AnnotateError(f"{path}: expected a file that isn't compressed: unpack it first")
    kind = SUFFIXES.get(path.suffix) if format == "auto" else format
    if kind is None:
        known = ", ".join(SUFFIXES)
        raise AnnotateError(f"{path}: expected {known}; for other files, use --format")
    # File names need not be UTF-8; the output must be.
    name = os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
    stat = path.stat()
    return InputFile(name, path.resolve(), kind, stat.st_size, stat.st_mtime_ns)


def _is_below(folder: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _expand(pattern: str, format: str) -> Iterator[Path]:
    path = Path(pattern)
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            is_hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.is_file() and not is_hidden and (format != "auto" or file.suffix in SUFFIXES):
                yield file
    else:
        matches = [path] if path.exists() else map(Path, sorted(glob.glob(pattern, recursive=True)))
        yield from filter(Path.is_file, matches)
