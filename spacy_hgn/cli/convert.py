"""``spacy hgn convert``: convert corpora to ``.spacy`` files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import srsly
from spacy.tokens import Doc
from tqdm import tqdm
from typer import Argument, Option
from wasabi import msg

from spacy_hgn.corpora.docbin import SUFFIX, Outputs, open_outputs
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import open_corpus
from spacy_hgn.corpora.parts import choose_files, list_files
from spacy_hgn.corpora.reading import Task
from spacy_hgn.corpora.repairs import REPORT_SUFFIX, Repair
from spacy_hgn.corpora.stats import Counts

from . import hgn_cli
from .corpus_options import CorpusOptions, show_counts_of_reading, with_corpus_options
from .pipelines import ending_at

Glob = Option("--glob", help="Pattern for the names of files in a folder")


@dataclass
class Summary:
    """What was read: the format of each file, the number of Docs, and counts of what they have."""

    found: dict[Path, str] = field(default_factory=dict)
    docs: int = 0
    counts: Counts = field(default_factory=Counts)

    def watch(self, docs: Iterable[Doc]) -> Iterator[Doc]:
        """Yield the Docs, and count."""
        for doc in docs:
            self.docs += 1
            self.counts.add(doc)
            yield doc


@hgn_cli.command("convert")
@with_corpus_options
def convert_cli(
    input_path: Annotated[Path, Argument(help="File, or folder of files", exists=True)],
    output_path: Annotated[Path, Argument(help=".spacy file; for a folder, a folder or a file")],
    options: CorpusOptions,
    glob: Annotated[str, Glob] = "*",
) -> None:
    """Convert corpora of named entities to .spacy files.

    Reads columns, CoNLL-2003, CoNLL-2012 (*gold_conll), JSONL with character spans, exports of
    Prodigy, doccano, Label Studio and brat, spaCy 2's training data as JSON, and the token lists
    of GLiNER and Hugging Face. A large corpus becomes a folder of .spacy files, which spaCy reads
    like one file. Bad lines and unknown keys are errors. White space at the ends of spans is
    trimmed.

    With --lenient, bad lines are repaired. Every token is kept, no type is guessed, and
    annotation that can't be read counts as missing. A tag that can't be read, or that is on a line
    with too few or too many columns, is missing; so is an adjacent entity that it may belong to. A
    tag that can't continue the entity before it begins a new one. An entity without its end ends
    where it is. A closing bracket without an opening one is ignored. A span that doesn't match the
    tokens, or that overlaps an earlier one, is left out and its tokens are missing. A line without
    a token and a record without text are left out. OUTPUT_PATH.repairs.jsonl lists every repair.
    """
    summary = Summary()
    with ending_at("Can't convert", ValueError, OSError, can_repair=True):
        task = Task(options.make_pipeline(), options.settings(), options.repairs())
        inputs = find_files(input_path, output_path, glob)
        with open_outputs(output_path) as outputs:
            convert(inputs, outputs, task, options.format, summary)
            outputs.move()
    if task.repairs is not None:
        _write_repairs(task.repairs, output_path)
    show_counts_of_reading(task.counts)
    _show(summary, output_path)


def convert(
    inputs: dict[Path, list[Path]], outputs: Outputs, task: Task, format: str, summary: Summary
) -> None:
    """Write the Docs in the files of each output."""

    def read(paths: Iterable[Path]) -> Iterator[Doc]:
        for path in paths:
            summary.found[path], docs = open_corpus(path, task, format)
            yield from tqdm(summary.watch(docs), path.name, unit=" Docs", delay=5, disable=None)

    for output, paths in inputs.items():
        outputs.write(read(paths), output, task)


def find_files(input_path: Path, output_path: Path, glob: str = "*") -> dict[Path, list[Path]]:
    """The files to read for each file to write.

    A folder becomes a folder with the same structure, or one ``.spacy`` file. From a folder with
    ``*gold_conll`` files, only these are read, and from a brat folder its texts. Hidden files and
    files that this command writes are skipped.

    Raises CorpusError if there are no files, and ValueError if a file's output isn't ``.spacy``.
    """
    if not input_path.is_dir():
        if output_path.suffix != SUFFIX:
            raise ValueError(f"Expected an output that ends in {SUFFIX}, got {output_path}.")
        return {output_path: [input_path]}
    paths, passed_over, pattern = choose_files(list_files(input_path, glob))
    if passed_over:
        msg.info(f"Skipped {len(passed_over):,} files that aren't {pattern}")
    if not paths:
        raise CorpusError(input_path, f"expected files that match {glob}, got none")
    if output_path.suffix == SUFFIX:
        return {output_path: paths}
    wanted = {path: output_path / path.relative_to(input_path) for path in paths}
    taken = Counter(path.with_suffix(SUFFIX) for path in wanted.values())
    return {
        target.with_suffix(SUFFIX)
        if taken[target.with_suffix(SUFFIX)] == 1
        else target.with_name(target.name + SUFFIX): [path]
        for path, target in wanted.items()
    }


def _write_repairs(repairs: list[Repair], output_path: Path) -> None:
    report = output_path.with_name(output_path.name + REPORT_SUFFIX)
    ordered = sorted(repairs, key=lambda repair: (repair.file, repair.line))
    report.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_jsonl(report, [asdict(repair) for repair in ordered])
    if repairs:
        msg.warn(f"Repairs: {len(repairs):,}, written to {report}")
    else:
        msg.info(f"No repairs were needed; {report} is empty")


def _show(summary: Summary, output_path: Path) -> None:
    """Print the format of the files and counts."""
    read_as: dict[str, list[Path]] = {}
    for path, found in summary.found.items():
        read_as.setdefault(found, []).append(path)
    for found, paths in read_as.items():
        others = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        msg.info(f"{paths[0]}{others}: {found}")
    counts = summary.counts
    rows = [
        (counts.unit, counts.sentences),
        ("Docs", summary.docs),
        ("tokens", counts.tokens),
        *([("tokens without annotation", counts.unannotated)] if counts.unannotated else []),
        ("entities", counts.entities),
        *((f"  {label}", count) for label, count in counts.by_frequency().items()),
    ]
    msg.table([(name, f"{count:,}") for name, count in rows], aligns=("l", "r"))
    if not counts.entities:
        msg.warn("No entities")
    msg.good(f"Converted to {output_path}")
