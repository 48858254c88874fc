"""A corpus's train, dev and test parts: which files they are, and their Docs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from .conll2012 import FILE_PATTERN
from .docbin import read_docbin
from .errors import CorpusError
from .formats import Corpus, read_corpus, refuse_settings
from .lines import read_lines
from .repairs import REPORT_SUFFIX

PARTS = {"train": ("train",), "dev": ("dev", "valid", "testa"), "test": ("test",)}
"""The parts, and what a part's file or folder has in its name, as people publish them."""

SPACY_SUFFIX = ".spacy"


def find_parts(folder: Path) -> dict[str, Path]:
    """The file or folder of each part in a corpus's folder.

    Raises CorpusError if the folder isn't there, or a part isn't, or several things may be it.
    """
    if not folder.is_dir():
        raise CorpusError(folder, "expected a folder that holds the train, dev and test parts")
    return {part: _find_part(folder, part) for part in PARTS}


def list_files(folder: Path, glob: str = "*") -> list[Path]:
    """The files below a folder, without hidden ones and what ``spacy hgn convert`` writes."""
    written = (SPACY_SUFFIX, REPORT_SUFFIX)
    return [
        path
        for path in sorted(folder.rglob(glob))
        if path.is_file()
        and not path.name.endswith(written)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def choose_files(paths: Sequence[Path]) -> list[Path]:
    """Of paths with ``*_gold_conll`` files these alone, otherwise all."""
    return [path for path in paths if path.match(FILE_PATTERN)] or list(paths)


def read_part(path: Path, nlp: Language, **settings: Any) -> Corpus:
    """Read a file of any format, ``.spacy`` among them, or all files below a folder.

    An empty file is an empty Corpus.

    settings: those of ``read_corpus``.

    Raises CorpusError for what can't be read.
    """
    if not path.is_dir():
        return _read_file(path, nlp, **settings)
    paths = choose_files(list_files(path)) or sorted(path.rglob(f"*{SPACY_SUFFIX}"))
    corpora = [_read_file(file, nlp, **settings) for file in paths]
    return Corpus(
        docs=[doc for corpus in corpora for doc in corpus.docs],
        sentences=sum(corpus.sentences for corpus in corpora),
        found="; ".join(dict.fromkeys(corpus.found for corpus in corpora)),
    )


def split_sentences(doc: Doc) -> list[Span]:
    """A Doc's sentences; the whole of it where they aren't known."""
    return list(doc.sents) if doc.has_annotation("SENT_START") else [doc[:]]


def _find_part(folder: Path, part: str) -> Path:
    others = [name for other, names in PARTS.items() if other != part for name in names]
    paths = [path for path in sorted(folder.iterdir()) if not _is_beside(path)]
    fitting = [
        path
        for path in paths
        if _has_any(path, PARTS[part]) and not (part == "test" and _has_any(path, others))
    ]
    if len(fitting) != 1:
        expected = f"one file or folder with {' or '.join(PARTS[part])} in its name"
        found = ", ".join(path.name for path in paths) or "nothing"
        raise CorpusError(folder, f"expected {expected}, as its {part} part; it holds {found}")
    return fitting[0]


def _is_beside(path: Path) -> bool:
    """Whether it lies beside the data and is none: hidden, or a report of repairs."""
    return path.name.startswith(".") or path.name.endswith(REPORT_SUFFIX)


def _has_any(path: Path, names: Sequence[str]) -> bool:
    return any(name in path.name.lower() for name in names)


def _read_file(path: Path, nlp: Language, **settings: Any) -> Corpus:
    if path.suffix == SPACY_SUFFIX:
        refuse_settings(path, "spacy", settings)
        return _read_spacy(path, nlp)
    if all(line.is_blank for line in read_lines(path)):
        return Corpus([], 0, "empty")
    return read_corpus(path, nlp, **settings)


def _read_spacy(path: Path, nlp: Language) -> Corpus:
    docs = read_docbin(path, nlp)
    return Corpus(docs, sum(len(split_sentences(doc)) for doc in docs), "spacy")
