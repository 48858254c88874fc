"""A run from its arguments to its summary."""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from .here import annotate_here, load_pipeline
from .inputs import InputFile
from .manifest import plan_run
from .progress import showing_documents, showing_files
from .settings import Settings
from .shard import Receipt, find_receipt
from .tables import require_pyarrow
from .whole_files import UNFINISHED, write_whole
from .with_ray import Cluster, annotate_with_ray, require_ray

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Summary:
    """What is in the output folder now.

    shards: that are done, of how many there are in the part that this run does. before: of them
    done by earlier runs. The rest are sums over the shards done, and seconds of this run.
    """

    shards: int
    of: int
    before: int
    documents: int
    words: int
    entities: int
    failed: int
    seconds: float
    words_per_second: float


def run(
    settings: Settings,
    files: Sequence[InputFile],
    cluster: Cluster | None = None,
    part: tuple[int, int] = (0, 1),
) -> Summary:
    """Annotate files, or what is left of them.

    cluster: of Ray; None, this process. part: which of how many, if several runs share the
    shards.

    Raises AnnotatingError if that can't begin or go on, and OSError if a disk fails; the same
    run goes on from there.
    """
    if settings.to == "parquet" or any(file.format == "parquet" for file in files):
        require_pyarrow()
    if cluster is not None:
        require_ray()
    with showing_files(len(files)) as report:
        shards = plan_run(settings, files, report)
    mine = shards[part[0] :: part[1]]
    receipts = [find_receipt(shard, settings.output) for shard in mine]
    todo = [shard for shard, receipt in zip(mine, receipts) if receipt is None]
    done = [receipt for receipt in receipts if receipt is not None]
    before = len(done)
    nlp = load_pipeline(settings) if todo and cluster is None else None
    start = time.monotonic()
    if todo:
        with showing_documents(todo) as progress:
            if nlp is not None:
                done += annotate_here(nlp, todo, settings, progress)
            elif cluster is not None:
                done += annotate_with_ray(todo, settings, cluster, progress)
    summary = summarize(done, len(mine), before, time.monotonic() - start)
    if len(mine) == len(shards):
        dumped = json.dumps(asdict(summary), indent=2).encode()
        write_whole(settings.output / SUMMARY, settings.output, dumped)
        shutil.rmtree(settings.output / UNFINISHED, ignore_errors=True)
    return summary


def summarize(done: Sequence[Receipt], total: int, before: int, seconds: float) -> Summary:
    """Add up receipts, those of earlier runs first."""
    words = sum(receipt.words for receipt in done[before:])
    return Summary(
        shards=len(done),
        of=total,
        before=before,
        documents=sum(receipt.documents for receipt in done),
        words=sum(receipt.words for receipt in done),
        entities=sum(receipt.entities for receipt in done),
        failed=sum(receipt.failed for receipt in done),
        seconds=seconds,
        words_per_second=words / max(seconds, 1e-9),
    )
