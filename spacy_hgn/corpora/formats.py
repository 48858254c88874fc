"""Detect the format of a file, and read files of any format."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from spacy_hgn.util.settings import one_of

from .brat import BRAT
from .columns import COLUMNS, CONLL2003
from .conll2012 import CONLL2012
from .doccano import DOCCANO
from .errors import CorpusError
from .jsonl import JSONL
from .label_studio import LABEL_STUDIO, LABEL_STUDIO_MIN
from .lines import read_lines
from .prodigy import PRODIGY
from .reading import Format, Reading, Sample, Task
from .records import read_records
from .repairs import Repairs
from .settings import ReaderSettings
from .spacy2 import SPACY2
from .token_lists import GLINER, HUGGING_FACE

READERS: tuple[Format, ...] = (
    BRAT,
    GLINER,
    HUGGING_FACE,
    SPACY2,
    LABEL_STUDIO,
    LABEL_STUDIO_MIN,
    PRODIGY,
    DOCCANO,
    JSONL,
    CONLL2012,
    CONLL2003,
    COLUMNS,
)
"""All formats. The first one that matches a file is its format."""

FORMATS = {format.name: format for format in READERS}

SAMPLED = 50
"""The number of records to read for detecting a format."""


@dataclass(frozen=True)
class LoadedCorpus:
    """The Docs of a file. found: its format and layout in words.

    counts: how many records and spans were left out or changed, by description.
    """

    docs: list[Doc]
    found: str
    counts: Counter[str] = field(default_factory=Counter)


def read_corpus(
    path: str | Path,
    nlp: Language,
    *,
    format: str = "auto",
    repairs: Repairs = None,
    **settings: Any,
) -> LoadedCorpus:
    """Read a file of any format, all of it at once.

    nlp: provides the vocabulary and the tokenizer. format: one of ``FORMATS``, or "auto" to detect
    it. repairs: a list to add repairs to; without one, every bad line is an error. settings: those
    of ``ReaderSettings``.

    Raises CorpusError if the file can't be read or has no sentence, and ValueError for settings
    that are unknown or that the format doesn't support.
    """
    task = Task(nlp, ReaderSettings(**settings), repairs)
    found, docs = open_corpus(path, task, format)
    return LoadedCorpus(list(docs), found, task.counts)


def open_corpus(path: str | Path, task: Task, format: str = "auto") -> Reading:
    """Open a file of any format. Its Docs are read one by one.

    Raises the errors of ``read_corpus``; those for single lines while the Docs are read.
    """
    one_of(("auto", *FORMATS), "format", format)
    chosen = FORMATS[guess_format(path) if format == "auto" else format]
    task.settings.refuse_others(path, chosen.name, chosen.follows)
    found, docs = chosen.read(Path(path), task)
    return Reading(", ".join(filter(None, (chosen.name, found))), _refuse_none(docs, path))


def guess_format(path: str | Path) -> str:
    """Detect the format of a file. Returns its name.

    Raises CorpusError if the file isn't text.
    """
    path = Path(path)
    first = next((line.text for line in read_lines(path) if not line.is_blank), "")
    is_json = first.lstrip().startswith(("{", "["))
    sample = Sample(path, first, _read_some_records(path) if is_json else [])
    return next(format.name for format in READERS if format.fits(sample))


def _read_some_records(path: Path) -> list[Any]:
    """The first JSON records, up to one that can't be read."""
    records: list[Any] = []
    try:
        for record in islice(read_records(path), SAMPLED):
            if not isinstance(record.value, dict | list):
                break
            records.append(record.value)
    except CorpusError:
        pass
    return records


def _refuse_none(docs: Iterator[Doc], path: str | Path) -> Iterator[Doc]:
    doc = None
    for doc in docs:
        yield doc
    if doc is None:
        raise CorpusError(path, "expected sentences, got none")
