"""``spacy hgn convert``: corpora become ``.spacy`` files."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import spacy
import srsly
from spacy.language import Language
from typer import Argument, BadParameter, Exit, Option
from wasabi import msg
from wasabi.util import locale_escape

from spacy_hgn.corpora.columns import DELIMITERS
from spacy_hgn.corpora.conll2012 import FILE_PATTERN
from spacy_hgn.corpora.docs import pack_docs
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import FORMATS, Corpus, read_corpus
from spacy_hgn.corpora.parts import SPACY_SUFFIX, choose_files, list_files
from spacy_hgn.corpora.repairs import REPORT_SUFFIX, Repair, Repairs
from spacy_hgn.corpora.schemes import SCHEMES

from . import hgn_cli


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in choices:
            raise BadParameter(f"expected one of {', '.join(choices)}, got {value!r}")
        return value

    return check


def _choice(name: str, choices: Sequence[str], help: str) -> Any:
    choices = ("auto", *choices)
    return Option(name, help=help, callback=_one_of(choices), metavar="|".join(choices))


Format = _choice("--format", FORMATS, "Format of the input; auto: look at the file")
Delimiter = _choice("--delimiter", DELIMITERS, "Tabs split columns, or any run of blanks and tabs")
Column = Option("--column", help="Column of the tag, counted from 1, or from the end if negative")
Scheme = _choice("--scheme", tuple(SCHEMES), "Tag scheme; auto: the one that the tags follow")
Merge = Option("--merge", min=1, help="Consecutive sentences of a document to put into one Doc")
Lang = Option("--lang", help="Language whose tokenizer splits the texts of JSONL")
Glob = Option("--glob", help="Names of the files to take from a folder")
Lenient = Option("--lenient", help=f"Repair bad lines; tell each in OUTPUT_PATH{REPORT_SUFFIX}")


@hgn_cli.command("convert")
def convert_cli(
    input_path: Annotated[Path, Argument(help="File, or folder of files", exists=True)],
    output_path: Annotated[Path, Argument(help=".spacy file; for a folder, another or a file")],
    format: Annotated[str, Format] = "auto",
    delimiter: Annotated[str, Delimiter] = "auto",
    column: Annotated[int, Column] = -1,
    scheme: Annotated[str, Scheme] = "auto",
    merge: Annotated[int, Merge] = 1,
    lang: Annotated[str, Lang] = "en",
    glob: Annotated[str, Glob] = "*",
    lenient: Annotated[bool, Lenient] = False,
) -> None:
    """Convert corpora of named entities to .spacy files.

    Reads columns, CoNLL-2003, CoNLL-2012 (*_gold_conll; in a folder with such files, these
    alone are read) and JSONL with character spans. Bad lines are errors.

    With --lenient they are repaired: every token is kept, no type is guessed, and what can't
    be read is unknown. A tag that can't be read, and the tag of a line with too few or too
    many columns, is missing. A tag that can't continue the entity before it begins a new
    one; an entity without its end ends where it stands; a closing bracket without an opening
    one closes nothing. A character span that doesn't fit the tokens, or overlaps one before
    it, is left out and its tokens are missing. A line without a token or text is left out.
    """
    try:
        repairs: Repairs = [] if lenient else None
        outputs = convert(
            find_files(input_path, output_path, glob),
            blank_pipeline(lang),
            repairs,
            format=format,
            delimiter=delimiter,
            column=column,
            scheme=scheme,
            merge=merge,
        )
    except (ValueError, OSError) as error:
        msg.fail("Can't convert")
        print(locale_escape(str(error)))  # as it is: wasabi would wrap the corpus's line
        raise Exit(1) from error
    for path, corpora in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        pack_docs(doc for corpus in corpora.values() for doc in corpus.docs).to_disk(path)
    if repairs is not None:
        _write_repairs(repairs, output_path)
    _show([item for corpora in outputs.values() for item in corpora.items()], output_path)


def convert(
    inputs: dict[Path, list[Path]], nlp: Language, repairs: Repairs, **settings: Any
) -> dict[Path, dict[Path, Corpus]]:
    """Read the files of each output, as ``read_corpus`` does with the settings."""
    return {
        output: {path: read_corpus(path, nlp, repairs=repairs, **settings) for path in paths}
        for output, paths in inputs.items()
    }


def find_files(input_path: Path, output_path: Path, glob: str = "*") -> dict[Path, list[Path]]:
    """The files to read for each file to write.

    A folder goes into a folder of the same structure, or all of it into one ``.spacy`` file.
    Of a folder with ``*_gold_conll`` files these alone are taken. Hidden files and what this
    command writes are passed over.

    Raises CorpusError if there are none, and ValueError if a file's output isn't ``.spacy``.
    """
    if not input_path.is_dir():
        if output_path.suffix != SPACY_SUFFIX:
            raise ValueError(f"Expected an output that ends in {SPACY_SUFFIX}, got {output_path}.")
        return {output_path: [input_path]}
    found = list_files(input_path, glob)
    paths = choose_files(found)
    if others := len(found) - len(paths):
        msg.info(f"Passed over {others:,} files that aren't {FILE_PATTERN}")
    if not paths:
        raise CorpusError(input_path, f"expected files that match {glob}, got none")
    if output_path.suffix == SPACY_SUFFIX:
        return {output_path: paths}
    wanted = {path: output_path / path.relative_to(input_path) for path in paths}
    taken = Counter(path.with_suffix(SPACY_SUFFIX) for path in wanted.values())
    return {
        target.with_suffix(SPACY_SUFFIX)
        if taken[target.with_suffix(SPACY_SUFFIX)] == 1
        else target.with_name(target.name + SPACY_SUFFIX): [path]
        for path, target in wanted.items()
    }


def blank_pipeline(lang: str) -> Language:
    """The language's tokenizer and vocabulary. Raises ValueError if spaCy doesn't know it."""
    try:
        return spacy.blank(lang)
    except ImportError as error:
        raise ValueError(str(error)) from error


def _write_repairs(repairs: list[Repair], output_path: Path) -> None:
    report = output_path.with_name(output_path.name + REPORT_SUFFIX)
    ordered = sorted(repairs, key=lambda repair: (repair.file, repair.line))
    report.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_jsonl(report, [asdict(repair) for repair in ordered])
    if repairs:
        msg.warn(f"Repairs: {len(repairs):,}, written to {report}")
    else:
        msg.info(f"No repairs, as {report} says")


def _show(corpora: Sequence[tuple[Path, Corpus]], output_path: Path) -> None:
    """Tell how the files were read and what they have."""
    read_as: dict[str, list[Path]] = {}
    for path, corpus in corpora:
        read_as.setdefault(corpus.found, []).append(path)
    for found, paths in read_as.items():
        others = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        msg.info(f"{paths[0]}{others}: {found}")
    docs = [doc for _, corpus in corpora for doc in corpus.docs]
    types = Counter(entity.label_ for doc in docs for entity in doc.ents)
    n_missing = sum(token.ent_iob == 0 for doc in docs for token in doc)
    unit = "texts" if set(read_as) == {"jsonl"} else "sentences"
    rows = [
        (unit, sum(corpus.sentences for _, corpus in corpora)),
        ("Docs", len(docs)),
        ("tokens", sum(map(len, docs))),
        *([("tokens without annotation", n_missing)] if n_missing else []),
        ("entities", types.total()),
        *((f"  {label}", count) for label, count in types.most_common()),
    ]
    msg.table([(name, f"{count:,}") for name, count in rows], aligns=("l", "r"))
    if not types:
        msg.warn("No entities")
    msg.good(f"Converted to {output_path}")
