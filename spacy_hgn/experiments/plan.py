"""Which runs of a grid are done, which are to do, and which were done with other settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .corpora import convert_corpus
from .grid import Grid, Run
from .heroes import check_heroes
from .job import Job
from .store import Record


@dataclass(frozen=True)
class Plan:
    """jobs: of all runs. recorded: what was there when it was made. changed: of runs that are
    there, the settings of the config file that are others now, in words. problems: of each
    corpus, in words."""

    jobs: list[Job]
    recorded: dict[str, Record]
    changed: dict[str, list[str]]
    problems: dict[str, list[str]]

    def to_do(self, redo: bool) -> list[Job]:
        """Jobs that aren't done. redo: also those whose config file has changed."""
        return [
            job
            for job in self.jobs
            if job.run.id not in self.recorded or (redo and job.run.id in self.changed)
        ]


def make_plan(
    grid: Grid,
    runs: Sequence[Run],
    recorded: dict[str, Record],
    cache: Path,
    threads: int,
    gpu_id: int,
) -> Plan:
    """Look for the runs' Heroes, convert their corpora, try their configs, and look at what is
    recorded.

    Raises GridError, CorpusError, OSError or ConfigValidationError for what can't be.
    """
    check_heroes(runs)
    corpora = {
        name: convert_corpus(name, source, cache)
        for name, source in {run.corpus: run.source for run in runs}.items()
    }
    jobs, changed = [], {}
    for run in runs:
        corpus = corpora[run.corpus]
        job = Job(
            run=run,
            config=str(grid.config),
            corpus=str(corpus.folder),
            corpus_digest=corpus.digest,
            sentences=corpus.sentences,
            threads=threads,
            gpu_id=gpu_id,
        )
        jobs.append(job)
        if differences := _compare(recorded.get(run.id), job.settings, corpus.digest):
            changed[run.id] = differences
    problems = {name: corpus.problems for name, corpus in corpora.items() if corpus.problems}
    return Plan(jobs, recorded, changed, problems)


def _compare(record: Record | None, settings: dict[str, Any], corpus_digest: str) -> list[str]:
    if record is None:
        return []
    before = {**record["config"], "corpus": record["corpus_digest"]}
    now = {**settings, "corpus": corpus_digest}
    return [
        f"{key}: {before.get(key)} → {now.get(key)}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]
