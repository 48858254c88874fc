"""Which format a file has, and its Docs whatever the format."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from .columns import has_docstart, read_columns
from .conll2012 import BEGIN, read_conll2012
from .docs import make_docs
from .errors import CorpusError
from .jsonl import read_jsonl
from .lines import read_lines
from .repairs import Repairs

FORMATS = ("columns", "conll2003", "conll2012", "jsonl")

SETTINGS = {"format": "auto", "delimiter": "auto", "column": -1, "scheme": "auto", "merge": 1}
"""Settings of ``read_corpus`` and their defaults."""

FOLLOWED: dict[str, set[str]] = {
    "columns": set(SETTINGS),
    "conll2003": set(SETTINGS),
    "conll2012": {"format", "merge"},  # where its names are, and how they're written, is fixed
    "jsonl": {"format"},  # it has no columns, and every text is a document
    "spacy": set(),
}
"""Those that a format can follow."""


@dataclass(frozen=True)
class Corpus:
    """The Docs of a file, and in words how it was read.

    sentences: how many it has; of JSONL, whose sentences aren't known, how many texts.
    """

    docs: list[Doc]
    sentences: int
    found: str


def read_corpus(
    path: str | Path,
    nlp: Language,
    *,
    format: str = "auto",
    delimiter: str = "auto",
    column: int = -1,
    scheme: str = "auto",
    merge: int = 1,
    repairs: Repairs = None,
) -> Corpus:
    """Read a file of any format.

    nlp: gives the vocabulary, and tokenizes JSONL. format: one of ``FORMATS``, or "auto" to
    look at the file. delimiter, column, scheme: of columns, see ``read_columns``. merge:
    sentences a Doc. repairs: a list that takes repairs; without one, every bad line is an
    error.

    Raises CorpusError for what can't be read and for a file without a single sentence, and
    ValueError for settings that don't exist or that the format can't follow.
    """
    if format == "auto":
        format = guess_format(path)
    if format not in FORMATS:
        expected = ", ".join(("auto", *FORMATS))
        raise ValueError(f"Unknown format: expected one of {expected}, got {format!r}.")
    given = {"delimiter": delimiter, "column": column, "scheme": scheme, "merge": merge}
    refuse_settings(path, format, given)
    if format == "jsonl":
        docs = list(read_jsonl(path, nlp, repairs=repairs))
        n_sentences, found = len(docs), "jsonl"
    else:
        if format == "conll2012":
            reading = read_conll2012(path, repairs=repairs)
        else:
            reading = read_columns(
                path, delimiter=delimiter, column=column, scheme=scheme, repairs=repairs
            )
        docs = list(make_docs(reading, nlp.vocab, merge))
        n_sentences, found = len(reading), f"{format}, {reading.found}"
    if not n_sentences:
        raise CorpusError(path, "expected sentences, got none")
    return Corpus(docs, n_sentences, found)


def refuse_settings(path: str | Path, format: str, given: Mapping[str, Any]) -> None:
    """Raise CorpusError for settings that would be passed over in silence."""
    for name, value in given.items():
        if name not in FOLLOWED[format] and value != SETTINGS[name]:
            problem = f"{format} can't follow the setting {name}"
            raise CorpusError(path, f"{problem}: expected {SETTINGS[name]!r}, got {value!r}")


def guess_format(path: str | Path) -> str:
    """Look at a file for its format.

    JSONL begins with a JSON object or is called ``.jsonl``, CoNLL-2012 begins with
    ``#begin document`` or is called ``_conll``, CoNLL-2003 has ``-DOCSTART-`` lines. All else
    is columns.

    Raises CorpusError if the file isn't text.
    """
    path = Path(path)
    lines = read_lines(path)
    first = next((line.text for line in lines if not line.is_blank), "")
    if path.suffix == ".jsonl" or _is_json_object(first):
        return "jsonl"
    if path.name.endswith("_conll") or first.startswith(BEGIN):
        return "conll2012"
    return "conll2003" if has_docstart(lines) else "columns"


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
