"""A run of ``spacy hgn annotate``, from its arguments to its summary."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import chain

from spacy.language import Language
from tqdm import tqdm

from ..util.files import UNFINISHED, write_whole
from .inputs import InputFile, check_fields, require_pyarrow
from .manifest import check_output, claim_output, describe
from .prediction import load_annotator
from .receipts import Progress, Receipt, annotate_shard, find_receipt
from .settings import AnnotateSettings
from .shards import Shard, cut_shards
from .with_ray import RayCluster, annotate_with_ray, require_ray

SECONDS = 0.5 if sys.stderr.isatty() else 10.0
"""Time between two updates of the progress bar, longer in a log."""


@dataclass(frozen=True)
class AnnotateSummary:
    """The contents of the output folder after a run.

    shards: finished ones in this run's part. before: those among them from earlier runs.
    documents, words, entities, failed: sums over all finished shards. seconds,
    words_per_second: of this run alone.
    """

    shards: int
    before: int
    documents: int
    words: int
    entities: int
    failed: int
    seconds: float
    words_per_second: float


@dataclass
class AnnotateRun:
    """Annotates files, or the rest of them. Call ``prepare``, then ``annotate``.

    cluster: a Ray cluster; None is this process. part: (k, n) if n runs share the shards, of
    which this is number k.
    """

    settings: AnnotateSettings
    files: Sequence[InputFile]
    cluster: RayCluster | None = None
    part: tuple[int, int] = (0, 1)
    _before: list[Receipt] = field(default_factory=list)
    _passed: int = 0  # bytes of skipped input that the progress bar hasn't counted yet

    def prepare(self) -> None:
        """Find the shards to do, load the pipeline, and claim the output folder.

        Raises AnnotateError if the run can't start. Nothing has been written then.
        """
        if self.settings.to == "parquet" or any(each.format == "parquet" for each in self.files):
            require_pyarrow()
        if self.cluster is not None:
            require_ray()
        asked = describe(self.settings, self.files)
        check_output(self.settings.output, asked)
        check_fields(self.files, self.settings)
        shards = self._find_undone()
        first = next(shards, None)
        self._undone = shards if first is None else chain([first], shards)
        self._nlp: Language | None = None
        if first is not None and self.cluster is None:
            self._nlp = load_annotator(self.settings)
        claim_output(self.settings.output, asked)

    def annotate(self) -> AnnotateSummary:
        """Annotate all unfinished shards, and summarize the output.

        Raises AnnotateError if the run can't continue, and OSError if a disk fails. The same run
        can then be resumed.
        """
        output, start = self.settings.output, time.monotonic()
        with self._showing_progress() as progress:
            done = list(self._annotate(progress))
        summary = self._sum_up(done, time.monotonic() - start)
        path = output / "summary.json"
        if self.part[1] == 1 and (done or not path.exists()):
            write_whole(path, json.dumps(asdict(summary), indent=2).encode())
            for leftover in output.rglob(f".*{UNFINISHED}"):
                leftover.unlink(missing_ok=True)
        return summary

    def _find_undone(self) -> Iterator[Shard]:
        """The unfinished shards in this part."""
        k, n = self.part
        for shard in cut_shards(self.files, self.settings):
            is_mine = shard.number % n == k
            receipt = find_receipt(shard, self.settings.output) if is_mine else None
            if is_mine and receipt is None:
                yield shard
            else:
                self._passed += shard.size
                self._before += [] if receipt is None else [receipt]

    def _annotate(self, progress: Progress) -> Iterator[Receipt]:
        if self.cluster is not None:
            yield from annotate_with_ray(self._undone, self.settings, self.cluster, progress)
        elif self._nlp is not None:
            for shard in self._undone:
                yield annotate_shard(self._nlp, shard, self.settings, progress)

    @contextmanager
    def _showing_progress(self) -> Iterator[Progress]:
        """Show a progress bar, and yield the function that updates it."""
        start, documents, words = time.monotonic(), 0, 0
        layout = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        size = sum(file.size for file in self.files)
        with tqdm(None, "Annotating", size, bar_format=layout, mininterval=SECONDS) as bar:

            def progress(more_documents: int, more_words: int, more_bytes: int) -> None:
                nonlocal documents, words
                documents, words = documents + more_documents, words + more_words
                seconds = max(time.monotonic() - start, 1e-9)
                rates = f"{documents / seconds:,.1f} docs/s, {words / seconds:,.0f} words/s"
                bar.set_postfix_str(f"{documents:,} docs, {rates}", refresh=False)
                bar.update(min(more_bytes + self._passed, size - bar.n))
                self._passed = 0

            yield progress

    def _sum_up(self, done: Sequence[Receipt], seconds: float) -> AnnotateSummary:
        receipts = [*self._before, *done]
        return AnnotateSummary(
            shards=len(receipts),
            before=len(self._before),
            documents=sum(receipt.documents for receipt in receipts),
            words=sum(receipt.words for receipt in receipts),
            entities=sum(receipt.entities for receipt in receipts),
            failed=sum(receipt.failed for receipt in receipts),
            seconds=seconds,
            words_per_second=sum(receipt.words for receipt in done) / max(seconds, 1e-9),
        )
