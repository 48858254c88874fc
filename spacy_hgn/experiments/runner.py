"""Run jobs in parallel, each in its own process, and store their results."""

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
from .one_run import LOG, Progress, RunResult, do_run
from .plan import Job
from .records import Record, Records

MAX_ERROR = 300


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
