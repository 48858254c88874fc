"""Inputs, runs and what they have written."""

import contextlib
import json
import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import spacy
from interruption import die, ending_in
from spacy.tokens import DocBin
from typer.testing import CliRunner, Result

from spacy_hgn.annotate.inputs import find_inputs
from spacy_hgn.annotate.run import AnnotateRun, AnnotateSummary
from spacy_hgn.annotate.settings import AnnotateSettings
from spacy_hgn.cli import hgn_cli

CODE = Path(__file__).parent / "exploding.py"

PEOPLE = ("Maria", "Zoe", "Ada", "Karl")
CITIES = ("Lisbon", "New York", "Zürich")


def make_texts(size: int) -> list[str]:
    """Made-up sentences, no two alike."""
    return [
        f"{PEOPLE[i % 4]} left {CITIES[i % 3]} for {CITIES[(i + 1) % 3]} in {i}."
        for i in range(size)
    ]


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), "utf8")
    return path


def write_jsonl(path: Path, records: Sequence[Any]) -> Path:
    return write_lines(path, [json.dumps(record) for record in records])


def write_parquet(path: Path, records: Sequence[Any], row_group: int = 4) -> Path:
    pa.parquet.write_table(pa.Table.from_pylist(list(records)), path, row_group_size=row_group)
    return path


def write_docbin(path: Path, texts: Sequence[str]) -> Path:
    nlp = spacy.blank("xx")
    DocBin(docs=[nlp.make_doc(text) for text in texts]).to_disk(path)
    return path


def write_corpus(folder: Path, size: int = 10) -> list[str]:
    """A folder with a file in each format; the texts in the order of the files."""
    folder.mkdir()
    texts = make_texts(4 * size)
    parts = [texts[i * size : (i + 1) * size] for i in range(4)]
    write_docbin(folder / "1.spacy", parts[0])
    write_jsonl(folder / "2.jsonl", [{"text": text} for text in parts[1]])
    write_parquet(folder / "3.parquet", [{"text": text} for text in parts[2]])
    write_lines(folder / "4.txt", parts[3])
    return texts


def ids_of(corpus: Path, size: int = 10) -> list[str]:
    """The ids that the documents of ``write_corpus`` get."""
    names = ("1.spacy", "2.jsonl", "3.parquet", "4.txt")
    return [f"{(corpus / name).as_posix()}:{i + 1}" for name in names for i in range(size)]


def annotate(
    pipeline: Path,
    inputs: Sequence[Path],
    output: Path,
    part: tuple[int, int] = (0, 1),
    **settings: Any,
) -> AnnotateSummary:
    """A run in this process."""
    settings = {"shard_size": 8, "batch_size": 3, **settings}
    chosen = AnnotateSettings(pipeline=str(pipeline), output=output, **settings)
    run = AnnotateRun(chosen, find_inputs([str(path) for path in inputs], output), part=part)
    run.prepare()
    return run.annotate()


def command(*arguments: Any) -> Result:
    """``spacy hgn annotate`` in this process."""
    return CliRunner().invoke(hgn_cli, ["annotate", *map(str, arguments)])


def rows_of(output: Path, table: str) -> list[dict[str, Any]]:
    """All rows of a table, shard after shard."""
    shards = sorted((output / table).glob("*.parquet"))
    return [row for path in shards for row in pa.parquet.read_table(path).to_pylist()]


def documents_in(output: Path) -> list[str]:
    """The ids of the documents that are annotated."""
    return [row["document"] for row in rows_of(output, "documents")]


def docs_in(output: Path) -> list[spacy.tokens.Doc]:
    """The Docs of all DocBins."""
    vocab = spacy.blank("xx").vocab
    shards = sorted((output / "docs").glob("*.spacy"))
    return [doc for path in shards for doc in DocBin().from_disk(path).get_docs(vocab)]


def failures_in(output: Path) -> list[dict[str, str]]:
    """The dead letters."""
    shards = sorted((output / "failed").glob("*.jsonl"))
    return [json.loads(line) for path in shards for line in path.read_text("utf8").splitlines()]


def files_in(output: Path) -> dict[str, tuple[int, bytes]]:
    """All files with what identifies them on the disk, and their bytes."""
    found = sorted(path for path in output.rglob("*") if path.is_file())
    return {
        path.relative_to(output).as_posix(): (path.stat().st_ino, path.read_bytes())
        for path in found
    }


def annotate_in_a_process(
    moment: tuple[str, int] | None, pipeline: Path, inputs: Sequence[Path], output: Path
) -> int:
    """A run in a new process, which is killed before a function's n-th call; its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spacy", __name__])
    process = context.Process(target=_annotate, args=(moment, pipeline, inputs, output))
    process.start()
    process.join()
    return process.exitcode


def _annotate(moment: tuple[str, int] | None, *arguments: Any) -> None:
    with contextlib.ExitStack() as stack:
        if moment is not None:
            place, call = moment
            stack.enter_context(ending_in(f"spacy_hgn.annotate.{place}", call, die))
        annotate(*arguments)
