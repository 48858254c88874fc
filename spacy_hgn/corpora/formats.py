"""Which format a file has, and its Docs whatever the format."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from .brat import BRAT
from .columns import COLUMNS, CONLL2003
from .conll2012 import CONLL2012
from .doccano import DOCCANO
from .errors import CorpusError, unknown_setting
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
"""All formats. A file has the first one that it looks like."""

FORMATS = {format.name: format for format in READERS}

SAMPLED = 50
"""Records that are looked at to know a format."""


@dataclass(frozen=True)
class LoadedCorpus:
    """The Docs of a file, and in words how it was read.

    sentences: how many it has; where they aren't known, how many texts. counts: what was done
    besides reading them, in words, and how often.
    """

    docs: list[Doc]
    sentences: int
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

    nlp: gives the vocabulary, and tokenizes texts. format: one of ``FORMATS``, or "auto" to
    look at the file. repairs: a list that takes repairs; without one, every bad line is an error.
    settings: those of ``ReaderSettings``.

    Raises CorpusError for what can't be read and for a file without a single sentence, and
    ValueError for settings that don't exist or that the format can't follow.
    """
    task = Task(nlp, ReaderSettings(**settings), repairs)
    found, docs = open_corpus(path, task, format)
    kept = list(docs)
    return LoadedCorpus(kept, sum(map(count_sentences, kept)), found, task.counts)


def open_corpus(path: str | Path, task: Task, format: str = "auto") -> Reading:
    """Begin to read a file of any format. Its Docs are made one after the other.

    Raises what ``read_corpus`` does, where it is about single lines while the Docs are made.
    """
    chosen = guess(path) if format == "auto" else FORMATS.get(format)
    if chosen is None:
        raise unknown_setting("format", ("auto", *FORMATS), format)
    task.settings.refuse_others(path, chosen.name, chosen.follows)
    found, docs = chosen.read(Path(path), task)
    return Reading(", ".join(filter(None, (chosen.name, found))), _refuse_none(docs, path))


def count_sentences(doc: Doc) -> int:
    """The sentences of a Doc; one where they aren't known."""
    return sum(1 for _ in doc.sents) if doc.has_annotation("SENT_START") else 1


def guess_format(path: str | Path) -> str:
    """Look at a file for its format, and tell the name of that.

    Raises CorpusError if the file isn't text.
    """
    return guess(path).name


def guess(path: str | Path) -> Format:
    """Look at a file for its format."""
    sample = _look_at(Path(path))
    return next(format for format in READERS if format.fits(sample))


def _look_at(path: Path) -> Sample:
    """The beginning of a file."""
    first = next((line.text for line in read_lines(path) if not line.is_blank), "")
    is_json = first.lstrip().startswith(("{", "["))
    return Sample(path, first, _read_some_records(path) if is_json else [])


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
