"""Which files are to be annotated, and in which format each is."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import AnnotatingError

SUFFIXES = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".spacy": "docbin",
}


@dataclass(frozen=True)
class InputFile:
    """A file to annotate. name: as it is called in ids, independent of where it lies."""

    name: str
    path: Path
    format: str


def find_inputs(patterns: Sequence[str], output: Path, format: str = "auto") -> list[InputFile]:
    """The files that paths, folders and globs name, each once, in the order given.

    Below a folder these are all files with a known suffix, or, if the format is given, all
    files; hidden ones are left out. What lies in the output is never found by a glob.

    Raises AnnotatingError if there is none, if a suffix doesn't tell the format, or if the output
    would be among the inputs.
    """
    found: dict[Path, InputFile] = {}
    for pattern in patterns:
        paths = [path for path in _expand(pattern, format) if not _is_below(output, path)]
        if not paths:
            raise AnnotatingError(
                f"{pattern}: expected a file, a folder with files or a glob, outside of {output}"
            )
        for path in paths:
            kind = _format_of(path) if format == "auto" else format
            found.setdefault(path.resolve(), InputFile(_printable(path), path.resolve(), kind))
        if Path(pattern).is_dir() and output.resolve().is_relative_to(Path(pattern).resolve()):
            raise AnnotatingError(
                f"{output}: expected an output folder outside of the inputs, got one in {pattern}"
            )
    return list(found.values())


def _format_of(path: Path) -> str:
    if path.suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise AnnotatingError(f"{path}: expected {known}; or say what it is with --format")
    return SUFFIXES[path.suffix]


def _printable(path: Path) -> str:
    """The path as a text that any file can hold, also where its bytes aren't UTF-8."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _is_below(folder: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _expand(pattern: str, format: str) -> Iterator[Path]:
    path = Path(pattern)
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from _files_below(path, format)
    else:
        for match in map(Path, sorted(glob.glob(pattern, recursive=True))):
            if match.is_file():
                yield match


def _files_below(folder: Path, format: str) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not is_hidden and (format != "auto" or path.suffix in SUFFIXES):
            yield path
