"""A shard from its input to its files; the receipt, written last, says that it is done."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spacy.language import Language

from .docbin_file import DOCS, writing_docbin
from .documents import Failure
from .entities_table import DOCUMENTS, ENTITIES, writing_tables
from .pipe import annotate
from .plan import Shard
from .reading import read_shard
from .settings import Settings
from .whole_files import write_whole

DONE, FAILED = "done", "failed"

FILES = {
    "parquet": ((ENTITIES, ".parquet"), (DOCUMENTS, ".parquet")),
    "docbin": ((DOCS, ".spacy"),),
}
"""Where a shard's output is, by the format."""

Progress = Callable[[int, int], None]
"""Is told how many more documents and words are done."""


@dataclass
class Receipt:
    """What became of a shard. files: their names and sizes, by which they are known as whole."""

    documents: int = 0
    words: int = 0
    entities: int = 0
    failed: int = 0
    files: dict[str, int] = field(default_factory=dict)


def annotate_shard(
    nlp: Language, shard: Shard, settings: Settings, progress: Progress = lambda *_: None
) -> Receipt:
    """Do a shard, unless it is done.

    Raises OSError if the disk is full or fails; the shard isn't done then, and leaves nothing.
    """
    output, receipt, failures = settings.output, Receipt(), list[Failure]()
    if (done := find_receipt(shard, output)) is not None:
        return done
    writing_output = writing_tables if settings.to == "parquet" else writing_docbin
    # Words that the vocabulary hasn't seen are forgotten afterwards: it would grow without end.
    with nlp.memory_zone(), writing_output(shard.name, output) as add:
        for each in annotate(nlp, read_shard(shard, nlp, settings), settings.batch_size):
            if isinstance(each, Failure):
                failures.append(each)
                receipt.failed += 1
                progress(1, 0)
            else:
                document, doc = each
                add(document, doc)
                receipt.documents += 1
                receipt.words += len(doc)
                receipt.entities += len(doc.ents)
                progress(1, len(doc))
    _write_failures(shard, output, failures)
    names = [f"{folder}/{shard.name}{suffix}" for folder, suffix in FILES[settings.to]]
    receipt.files = {name: (output / name).stat().st_size for name in names}
    write_whole(_receipt_path(shard, output), output, json.dumps(asdict(receipt)).encode())
    return receipt


def find_receipt(shard: Shard, output: Path) -> Receipt | None:
    """The receipt of a shard that is done and whose files are all there."""
    path = _receipt_path(shard, output)
    if not path.exists():
        return None
    receipt = Receipt(**json.loads(path.read_bytes()))
    paths = {output / name: size for name, size in receipt.files.items()}
    is_whole = all(path.is_file() and path.stat().st_size == size for path, size in paths.items())
    return receipt if is_whole else None


def _write_failures(shard: Shard, output: Path, failures: Sequence[Failure]) -> None:
    """Write the shard's dead letters, or remove those of an earlier attempt."""
    path = output / FAILED / f"{shard.name}.jsonl"
    if failures:
        lines = [json.dumps(asdict(failure)) + "\n" for failure in failures]
        write_whole(path, output, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)


def _receipt_path(shard: Shard, output: Path) -> Path:
    return output / DONE / f"{shard.name}.json"
