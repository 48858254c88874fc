"""Runs jobs side by side, each in a process of its own, and keeps their results."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import wait
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from .grid_file import GridError
from .one_run import LOG, Progress, Result, do_run
from .plan import Job
from .records import Record, Records

MAX_ERROR = 300


class RunProcess:
    """A run that is going on. messages: has something when there is news of it."""

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
        sender.close()  # that of the process is the only one: it ends, and so do the messages

    def receive(self) -> Progress | Result | str:
        """The next message; at the end what came out, or in words what went wrong."""
        try:
            return self.messages.recv()
        except (EOFError, OSError):
            self.process.join()
            return f"The process ended with status {self.process.exitcode}."

    def end(self) -> None:
        """Leave nothing of it."""
        self.process.terminate()
        self.process.join()
        self.messages.close()
        shutil.rmtree(self.folder)


@contextmanager
def locked(records: Records) -> Iterator[None]:
    """Nobody else runs the same grid. Raises GridError if somebody does."""
    records.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(records.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise GridError(
            f"{records.folder}: another process runs this grid. Wait for its end; more at once "
            "are had by --jobs."
        ) from error
    try:
        yield
    finally:
        lock.release()


def run_jobs(
    jobs: Sequence[Job], records: Records, work: Path, side_by_side: int, done: int = 0
) -> list[str]:
    """Do the jobs. It leaves no process and nothing half done behind, even if it's interrupted;
    what a kill leaves, the next call removes.

    work: the folder that they work in. done: other runs, for the count that is shown.

    Returns the ids of those that failed.
    """
    shutil.rmtree(work, ignore_errors=True)
    total = done + len(jobs)
    waiting = iter(jobs)
    failed: list[str] = []
    running: list[RunProcess] = []
    steps = sum(job.steps for job in jobs)
    # Speed is the mean from the beginning: runs differ more than the moments of one.
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
                    if isinstance(message, Result):
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
    os.environ["OMP_NUM_THREADS"] = str(job.threads)  # for the process, which reads it at once
    tqdm.write(f"{job.run.name}: begins, {job.steps:,} steps")
    return RunProcess(job, work)


def _show(process: RunProcess, now: Progress, bar: tqdm) -> None:
    """The steps since the last time, and the epochs that have ended since."""
    before, process.last = process.last, now
    bar.update(now.step - before.step)
    for epoch in range(len(before.dev_f1), len(now.dev_f1)):
        tqdm.write(f"{process.name}: epoch {epoch + 1}, F1 on dev {now.dev_f1[epoch]:.2f}")


def _describe(record: Record) -> str:
    minutes = sum(record["seconds"].values()) / 60
    scores = " ".join(f"{part} {record[part]['f']:.2f}" for part in ("dev", "test") if record[part])
    return f"done in {minutes:,.1f} minutes, F1 on {scores}"
