"""Annotate a shard. Its receipt, written last, marks it as done."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from spacy.language import Language

from ..util.files import write_whole
from .documents import Failure
from .output import EntityDocBin, EntityTables
from .prediction import predict
from .reading import read_shard
from .settings import AnnotateSettings
from .shards import Shard

FAILED = "failed"

Progress = Callable[[int, int, int], None]
"""Called with the numbers of documents, words and input bytes done since the last call."""


@dataclass
class Receipt:
    """The counts of a finished shard. files: names and sizes, to check that they are complete."""

    documents: int = 0
    words: int = 0
    entities: int = 0
    failed: int = 0
    files: dict[str, int] = field(default_factory=dict)


def annotate_shard(
    nlp: Language, shard: Shard, settings: AnnotateSettings, progress: Progress = lambda *_: None
) -> Receipt:
    """Annotate a shard, unless it is done.

    Raises OSError if the disk is full or fails. The shard then isn't done and leaves no files.
    """
    output, receipt, failures = settings.output, Receipt(), list[Failure]()
    if (done := find_receipt(shard, output)) is not None:
        return done
    found = EntityTables() if settings.to == "parquet" else EntityDocBin()
    share = shard.size // max(shard.documents, 1)
    with nlp.memory_zone():  # forgets new words, or the vocabulary would grow without bound
        for each in predict(nlp, read_shard(shard, nlp, settings), settings.batch_size):
            if isinstance(each, Failure):
                failures.append(each)
                progress(1, 0, share)
                continue
            document, doc = each
            found.add(document, doc)
            receipt.documents += 1
            receipt.words += len(doc)
            receipt.entities += len(doc.ents)
            progress(1, len(doc), share)
        paths = found.write(output, shard.name)
    receipt.failed = len(failures)
    progress(0, 0, shard.size - share * (receipt.documents + receipt.failed))
    _write_failures(shard, output, failures)
    receipt.files = {p.relative_to(output).as_posix(): p.stat().st_size for p in paths}
    write_whole(_receipt_path(shard, output), json.dumps(asdict(receipt)).encode())
    return receipt


def find_receipt(shard: Shard, output: Path) -> Receipt | None:
    """The receipt of a shard, if it is done and its files are complete."""
    try:
        receipt = Receipt(**json.loads(_receipt_path(shard, output).read_bytes()))
        is_whole = all((output / n).stat().st_size == size for n, size in receipt.files.items())
    except (FileNotFoundError, ValueError, TypeError):  # the latter two: a damaged receipt
        return None
    return receipt if is_whole else None


def first_failure(output: Path) -> str:
    """The place of the first document that failed, and its error."""
    with min((output / FAILED).glob("[0-9]*.jsonl")).open(encoding="utf8") as file:
        failure = Failure(**json.loads(file.readline()))
    return f"{failure.source}: {failure.error}"


def _write_failures(shard: Shard, output: Path, failures: Sequence[Failure]) -> None:
    """Write the shard's failures, or remove those of an earlier attempt."""
    path = output / FAILED / f"{shard.name}.jsonl"
    if failures:
        lines = [json.dumps(asdict(failure)) + "\n" for failure in failures]
        write_whole(path, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)


def _receipt_path(shard: Shard, output: Path) -> Path:
    return output / "done" / f"{shard.name}.json"
