"""Which files are to be annotated, and in which format each is."""

import glob
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
    files; hidden ones are left out. A file with an unknown suffix is text.

    Raises AnnotatingError if there is none, or the output would be among the inputs.
    """
    found: dict[Path, InputFile] = {}
    for pattern in patterns:
        paths = list(_expand(pattern, format))
        if not paths:
            raise AnnotatingError(f"{pattern}: expected a file, a folder with files or a glob")
        for path in paths:
            kind = SUFFIXES.get(path.suffix, "text") if format == "auto" else format
            found.setdefault(path.resolve(), InputFile(path.as_posix(), path.resolve(), kind))
        if Path(pattern).is_dir() and output.resolve().is_relative_to(Path(pattern).resolve()):
            raise AnnotatingError(
                f"{output}: expected an output folder outside of the inputs, got one in {pattern}"
            )
    return list(found.values())


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
