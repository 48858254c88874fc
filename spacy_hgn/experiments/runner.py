"""Run jobs in parallel, and store their results.

Each run has its own process, so that threads, memory and crashes don't affect others.
"""

import os
import shutil
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from math import ceil
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from ..backend.gpu import use_gpu
from ..backend.gpu_errors import telling_gpu_errors
from ..util.environment import describe_revision
from .grid import build_config
from .grid_file import PROTOCOLS, GridError
from .plan import Job
from .records import Record, Records
from .scores import Sentences
from .train import Listener, train

LOG = "log.txt"
MAX_ERROR = 300


class Progress(NamedTuple):
    """The finished steps, and F1 on dev for the finished epochs."""

    step: int
    dev_f1: list[float]


class RunResult(NamedTuple):
    """A run's record, and the entities of test, or of dev if the run doesn't read test."""

    record: Record
    gold: Sentences
    predicted: Sentences


class RunProcess:
    """A run in progress. messages: receives its progress and result."""

    def __init__(self, job: Job, work: Path) -> None:
        self.job = job
        self.name = job.run.name
        self.folder = work / job.run.id
        self.folder.mkdir(parents=True)
        self.last = Progress(0, [])
        context = get_context("spawn")
        self.messages, sender = context.Pipe(duplex=False)
        self.process = context.Process(target=do_run, args=(job, self.folder, sender), daemon=True)
        self.process.start()
        sender.close()  # only the process holds a sender: when it ends, so do the messages

    def receive(self) -> Progress | RunResult | str:
        """The next message: Progress, or in the end the RunResult or an error message."""
        try:
            return self.messages.recv()
        except (EOFError, OSError):
            self.process.join()
            return f"The process ended with status {self.process.exitcode}."

    def end(self) -> None:
        """End the process and delete its folder."""
        self.process.terminate()
        self.process.join()
        self.messages.close()
        shutil.rmtree(self.folder)


@contextmanager
def locked(records: Records) -> Iterator[None]:
    """Lock the grid against other processes. Raises GridError if it is locked."""
    records.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(records.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise GridError(
            f"{records.folder}: another process runs this grid. Wait until it ends. To train "
            "several runs in parallel, use --jobs."
        ) from error
    try:
        yield
    finally:
        lock.release()


def run_jobs(
    jobs: Sequence[Job], records: Records, work: Path, side_by_side: int, done: int = 0
) -> list[str]:
    """Run jobs. An interruption leaves no process and no temporary file; after a kill, the next
    call removes them.

    work: a folder for temporary files. side_by_side: jobs to run in parallel. done: the number of
    finished runs, for the display.

    Returns the ids of failed jobs.
    """
    shutil.rmtree(work, ignore_errors=True)
    total = done + len(jobs)
    waiting = iter(jobs)
    failed: list[str] = []
    running: list[RunProcess] = []
    steps = sum(job.steps for job in jobs)
    # The mean speed since the start, because runs differ in speed.
    with tqdm(total=steps, unit=" steps", smoothing=0, disable=None) as bar:
        try:
            while True:
                for job in islice(waiting, side_by_side - len(running)):
                    running.append(_begin(job, work))
                if not running:
                    return failed
                ready = wait([process.messages for process in running])
                for process in [each for each in running if each.messages in ready]:
                    message = process.receive()
                    if isinstance(message, Progress):
                        _show(process, message, bar)
                        continue
                    running.remove(process)
                    if isinstance(message, RunResult):
                        records.add(*message)
                        outcome = _describe(message.record)
                        done += 1
                    else:
                        log = records.keep_log(process.job.run.id, process.folder / LOG)
                        outcome = f"failed: {message[:MAX_ERROR]} See {log}"
                        failed.append(process.job.run.id)
                    bar.update(process.job.steps - process.last.step)
                    tqdm.write(f"{process.name}: {outcome}\n{done} of {total} runs done")
                    process.end()
        finally:
            for process in running:
                process.end()


def _begin(job: Job, work: Path) -> RunProcess:
    os.environ["OMP_NUM_THREADS"] = str(job.threads)  # the new process reads it at its start
    tqdm.write(f"{job.run.name}: starts, {job.steps:,} steps")
    return RunProcess(job, work)


def _show(process: RunProcess, now: Progress, bar: tqdm) -> None:
    """Show the steps and epochs since the last message."""
    before, process.last = process.last, now
    bar.update(now.step - before.step)
    for epoch in range(len(before.dev_f1), len(now.dev_f1)):
        tqdm.write(f"{process.name}: epoch {epoch + 1}, F1 on dev {now.dev_f1[epoch]:.2f}")


def _describe(record: Record) -> str:
    minutes = sum(record["seconds"].values()) / 60
    scores = " ".join(f"{part} {record[part]['f']:.2f}" for part in ("dev", "test") if record[part])
    return f"done in {minutes:,.1f} minutes, F1 on {scores}"


def do_run(job: Job, folder: Path, runner: Connection) -> None:
    """Train in a folder, with all output in a log file there.

    runner: receives Progress, and in the end the RunResult or an error message. This process
    ends with it.
    """
    with (folder / LOG).open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        torch.set_num_threads(job.threads)
        with telling_gpu_errors():
            use_gpu(job.gpu_id)
            runner.send(do_job(job, folder, lambda *progress: runner.send(Progress(*progress))))
    except Exception as error:
        traceback.print_exc()
        runner.send(" ".join(f"{type(error).__name__}: {error}".split()))


def do_job(job: Job, folder: Path, listen: Listener) -> RunResult:
    """Train. listen: receives the progress."""
    revision = describe_revision()  # before anybody changes the code
    config = build_config(job.run, job.config, job.sentences)
    trained = train(config, PROTOCOLS[job.run.protocol], job.paths(), folder, listen)
    record = {**job.describe(), **trained.describe(), "git": revision}
    record["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
    if trained.best_epoch:  # in epochs, even if dev is scored less often
        per_score = job.run.epochs / len(trained.dev_f1)
        record["best_epoch"] = ceil(trained.best_epoch * per_score)
    predictions = trained.test or trained.dev
    assert predictions is not None  # every protocol reads one of them
    return RunResult(record, predictions.gold, predictions.predicted)
