"""The train, dev and test parts of a corpus: their files and Docs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spacy.language import Language
from spacy.tokens import Doc, Span

from .brat import ANNOTATION, TEXT
from .conll2012 import FILE_PATTERN
from .docbin import SUFFIX as SPACY_SUFFIX
from .docbin import list_docbins, read_docbin
from .errors import CorpusError
from .formats import LoadedCorpus, open_corpus
from .lines import is_empty
from .reading import Reading, Task
from .repairs import REPORT_SUFFIX, Repairs
from .settings import ReaderSettings, cannot_follow

PARTS = {"train": ("train",), "dev": ("dev", "valid", "testa"), "test": ("test",)}
"""The parts, with the names of their files or folders in published corpora."""

SHARED_TASK = "conll-2012-test"
"""The test part of the shared task in OntoNotes's release in columns. Published scores are for it;
the folder ``test`` has other texts too."""


class Choice(NamedTuple):
    """The files of a folder to read, the skipped ones, and the pattern of the former."""

    paths: list[Path]
    passed_over: list[Path]
    pattern: str


def find_parts(folder: Path) -> dict[str, Path]:
    """The file or folder of each part in a corpus's folder.

    Raises CorpusError if the folder or a part doesn't exist, or if a part is ambiguous.
    """
    if not folder.is_dir():
        raise CorpusError(folder, "expected a folder that holds the train, dev and test parts")
    return {part: _find_part(folder, part) for part in PARTS}


def find_passed_over(folder: Path) -> list[Path]:
    """Files in a corpus's folder that look like a test part but aren't used."""
    tests = [path for path in sorted(folder.iterdir()) if _is_test(path)]
    return [path for path in tests if path not in _prefer_shared_task(tests)]


def list_files(folder: Path, glob: str = "*") -> list[Path]:
    """The files below a folder, except hidden ones and output of ``spacy hgn convert``."""
    written = (SPACY_SUFFIX, REPORT_SUFFIX)
    return [
        path
        for path in sorted(folder.rglob(glob))
        if path.is_file()
        and not path.name.endswith(written)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def choose_files(paths: Sequence[Path]) -> Choice:
    """Choose the files to read: ``*gold_conll`` files, brat's ``.ann`` files, or else all files.

    Raises CorpusError for a text without an ``.ann`` file if other texts have one.
    """
    gold = [path for path in paths if path.match(FILE_PATTERN)]
    if gold:
        return Choice(gold, [path for path in paths if path not in set(gold)], FILE_PATTERN)
    annotations = [path for path in paths if path.suffix == ANNOTATION]
    if not annotations:
        return Choice(list(paths), [], "*")
    read = {*annotations, *(path.with_suffix(TEXT) for path in annotations)}
    others = [path for path in paths if path not in read]
    for path in others:
        if path.suffix == TEXT:
            raise CorpusError(path, f"expected {path.stem}{ANNOTATION} beside it, as others have")
    return Choice(annotations, others, f"*{ANNOTATION} and *{TEXT}")


def read_part(
    path: Path, nlp: Language, *, format: str = "auto", repairs: Repairs = None, **settings: Any
) -> LoadedCorpus:
    """Read a file of any format, including ``.spacy``, or all files below a folder.

    An empty file is an empty corpus. format, repairs, settings: as in ``read_corpus``.

    Raises CorpusError if a file can't be read.
    """
    task = Task(nlp, ReaderSettings(**settings), repairs)
    paths = [path]
    if path.is_dir():
        paths = choose_files(list_files(path)).paths or list_docbins(path)
    docs: list[Doc] = []
    found: dict[str, None] = {}  # a set that keeps its order
    for each in paths:
        reading = _open(each, task, format)
        found[reading.found] = None
        docs.extend(reading.docs)
    return LoadedCorpus(docs, "; ".join(found), task.counts)


def refuse_settings(path: Path, settings: ReaderSettings, format: str) -> None:
    """Raise CorpusError for settings of reading, which ``.spacy`` files don't need."""
    settings.refuse_others(path, "spacy", ())
    if format != "auto":
        raise CorpusError(path, cannot_follow("spacy", "format", "auto", format))


def iterate_docs(path: Path, nlp: Language) -> Iterator[Doc]:
    """The Docs of a ``.spacy`` file or of a folder, read one file at a time."""
    for each in list_docbins(path):
        yield from read_docbin(each, nlp)


def split_sentences(doc: Doc) -> list[Span]:
    """A Doc's sentences; the whole Doc if they aren't known."""
    return list(doc.sents) if doc.has_annotation("SENT_START") else [doc[:]]


def _find_part(folder: Path, part: str) -> Path:
    paths = [path for path in sorted(folder.iterdir()) if not _is_beside(path)]
    if part == "test":
        fitting = _prefer_shared_task([path for path in paths if _is_test(path)])
    else:
        fitting = [path for path in paths if _has_any(path, PARTS[part])]
    if len(fitting) != 1:
        expected = f"one file or folder with {' or '.join(PARTS[part])} in its name"
        found = ", ".join(path.name for path in paths) or "nothing"
        raise CorpusError(folder, f"expected {expected}, as its {part} part; it holds {found}")
    return fitting[0]


def _is_test(path: Path) -> bool:
    others = [name for part, names in PARTS.items() if part != "test" for name in names]
    return _has_any(path, PARTS["test"]) and not _has_any(path, others) and not _is_beside(path)


def _prefer_shared_task(tests: Sequence[Path]) -> list[Path]:
    return [path for path in tests if path.name == SHARED_TASK] or list(tests)


def _is_beside(path: Path) -> bool:
    """Whether it isn't data: a hidden file or a report of repairs."""
    return path.name.startswith(".") or path.name.endswith(REPORT_SUFFIX)


def _has_any(path: Path, names: Sequence[str]) -> bool:
    return any(name in path.name.lower() for name in names)


def _open(path: Path, task: Task, format: str) -> Reading:
    if path.suffix == SPACY_SUFFIX:
        refuse_settings(path, task.settings, format)
        return Reading("spacy", iter(read_docbin(path, task.nlp)))
    if path.suffix != ANNOTATION and is_empty(path):
        return Reading("empty", iter(()))
    return open_corpus(path, task, format)
