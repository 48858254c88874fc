"""``.spacy`` files: spaCy's DocBin on disk."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from spacy.language import Language
from spacy.tokens import Doc, DocBin

from .docs import STORED
from .errors import CorpusError
from .reading import Task

SUFFIX = ".spacy"

TOKENS_A_FILE = 1_000_000
"""Tokens per file: a file is read and written as a whole."""

TOKENS_A_VOCAB = 250_000
"""Tokens per vocabulary: a vocabulary keeps all words it has seen."""

MISREAD = (ValueError, LookupError, TypeError, AttributeError, OverflowError)
"""The errors of spaCy for bytes that aren't a valid DocBin."""


def read_docbin(path: Path, nlp: Language) -> list[Doc]:
    """Read the Docs of a ``.spacy`` file.

    Raises CorpusError if it isn't a ``.spacy`` file or is damaged.
    """
    try:
        docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))
        for doc in docs:
            _labels_on(doc)
    except MISREAD as error:
        raise CorpusError(path, f"expected a .spacy file, got an error ({error!r})") from error
    return docs


class Outputs:
    """``.spacy`` files that are written to a temporary folder and then moved all at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[Path, Path] = {}
        self._tokens = 0

    def write(self, docs: Iterable[Doc], path: Path, task: Task) -> None:
        """Write Docs to a file, or to a folder of that name if they are too many for one file.

        task: makes the Docs. Its vocabulary is renewed from time to time.
        """
        folder = self._folder / str(len(self._written))
        folder.mkdir()
        rest = iter(docs)
        files = (folder / f"{number:04}{SUFFIX}" for number in count())
        written = list(takewhile(lambda file: self._write_some(rest, file, task), files))
        self._written[path] = folder if len(written) > 1 else written[0]

    def _write_some(self, docs: Iterator[Doc], path: Path, task: Task) -> bool:
        """Write as many Docs as fit into one file. Returns False if there were none."""
        packed = DocBin(attrs=STORED)
        n_tokens = 0
        for doc in docs:
            packed.add(doc)
            n_tokens += len(doc)
            self._tokens += len(doc)
            if self._tokens >= TOKENS_A_VOCAB:
                task.renew_vocab()
                self._tokens = 0
            if n_tokens >= TOKENS_A_FILE:
                break
        if len(packed):
            packed.to_disk(path)
        return bool(len(packed))

    def move(self) -> None:
        """Move all files to their destinations.

        Raises CorpusError if a destination is a folder with other files in it.
        """
        for path in filter(Path.is_dir, self._written):
            others = [other.name for other in path.iterdir() if other.suffix != SUFFIX]
            if others:
                raise CorpusError(path, f"expected a folder of {SUFFIX} files, got {others[0]}")
        for path, written in self._written.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            shutil.move(written, path)


@contextmanager
def open_outputs(path: Path) -> Iterator[Outputs]:
    """Open outputs at or below a path, with a temporary folder on the same disk."""
    beside = next(parent for parent in path.absolute().parents if parent.is_dir())
    with TemporaryDirectory(prefix=".convert-", dir=beside) as folder:
        yield Outputs(Path(folder))


def list_docbins(path: Path) -> list[Path]:
    """The file, or all ``.spacy`` files below a folder, in the order in which spaCy reads them."""
    return sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]


def _labels_on(doc: Doc) -> list[str]:
    """All labels on the Doc. Reading them shows whether one is damaged."""
    return [span.label_ for group in (doc.ents, *doc.spans.values()) for span in group]
