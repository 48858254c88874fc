"""Runs a grid: several processes side by side, what is there already left out."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep
from typing import Any

from filelock import FileLock

from .board import Board
from .job import ERROR, LOG, PREDICTIONS, RESULT, Job, read_progress, write_job
from .json_files import read_json
from .settings import count_steps
from .store import Record, Store

MAX_ERROR = 300
POLL = 0.2
"""Seconds between two looks at the running processes."""


@dataclass
class Outcome:
    """The ids of runs. elsewhere: those that another invocation is doing."""

    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


@dataclass
class Process:
    """A run that is going on."""

    job: Job
    folder: Path
    claim: FileLock
    popen: subprocess.Popen

    @property
    def id(self) -> str:
        """Of its run."""
        return self.job.run.id

    @property
    def name(self) -> str:
        """Of its run, for people."""
        return self.job.run.name


def run_jobs(
    jobs: Sequence[Job],
    store: Store,
    board: Board,
    recorded: dict[str, Record],
    side_by_side: int,
) -> Outcome:
    """Do the jobs. It leaves no process and nothing half done behind, even if it's interrupted;
    what a kill leaves, the next call removes.

    recorded: what was there when the jobs were chosen.
    """
    store.sweep()
    outcome = Outcome()
    waiting = _start_all(jobs, store, board, recorded, outcome)
    running: list[Process] = []
    try:
        while True:
            while len(running) < side_by_side and (process := next(waiting, None)):
                running.append(process)
            if not running:
                return outcome
            sleep(POLL)
            for process in running:
                board.update(process.name, **read_progress(process.folder))
            for process in [process for process in running if process.popen.poll() is not None]:
                running.remove(process)
                _finish(process, store, board, outcome)
    finally:
        for process in running:
            process.popen.terminate()
            process.popen.wait()
            _release(process, store)


def _start_all(
    jobs: Sequence[Job],
    store: Store,
    board: Board,
    recorded: dict[str, Record],
    outcome: Outcome,
) -> Iterator[Process]:
    """Start one job after the other, as they are asked for; pass over those that another
    invocation is doing, or has done by now."""
    for job in jobs:
        claim = store.claim(job.run.id)
        if claim is None:
            outcome.elsewhere.append(job.run.id)
            continue
        if store.read().get(job.run.id) != recorded.get(job.run.id):  # done in between
            claim.release()
            outcome.done.append(job.run.id)
            continue
        board.begin(job.run.name, count_steps(job.run, job.training_sentences))
        yield _start(job, store, claim)


def _start(job: Job, store: Store, claim: FileLock) -> Process:
    folder = store.make_folder(job.run.id)
    write_job(job, folder)
    module, runner = "spacy_hgn.experiments.one_run", str(os.getpid())
    command = [sys.executable, "-m", module, str(folder), runner]
    environment = {**os.environ, "OMP_NUM_THREADS": str(job.threads)}
    with (folder / LOG).open("w") as log:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    return Process(job, folder, claim, popen)


def _finish(process: Process, store: Store, board: Board, outcome: Outcome) -> None:
    if process.popen.returncode:
        error = _read_error(process)
        kept = store.add_failure(process.id, error, process.folder / LOG)
        outcome.failed.append(process.id)
        board.end(process.name, f"failed: {error} See {kept}", succeeded=False)
    else:
        result = read_json(process.folder / RESULT)
        store.add(result, **read_json(process.folder / PREDICTIONS))
        outcome.done.append(process.id)
        board.end(process.name, _describe(result))
    _release(process, store)


def _release(process: Process, store: Store) -> None:
    store.remove_folder(process.id)
    process.claim.release()


def _describe(result: dict[str, Any]) -> str:
    seconds = sum(result["seconds"].values())
    scores = " ".join(f"{part} {result[part]['f']:.2f}" for part in ("dev", "test") if result[part])
    return f"done in {seconds / 60:,.1f} minutes, F1 on {scores}"


def _read_error(process: Process) -> str:
    path = process.folder / ERROR
    if path.exists():
        return path.read_text(encoding="utf8")[:MAX_ERROR]
    return f"The process ended with status {process.popen.returncode}."
