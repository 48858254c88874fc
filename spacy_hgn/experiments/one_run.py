"""One run in its own process, so that threads, memory and crashes don't affect others."""

import os
import traceback
from datetime import UTC, datetime
from math import ceil
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch

from ..backend.gpu import use_gpu
from ..backend.gpu_errors import telling_gpu_errors
from ..util.environment import describe_revision
from .grid import build_config
from .grid_file import PROTOCOLS
from .plan import Job
from .records import Record
from .scores import Sentences
from .train import Listener, train

LOG = "log.txt"


class Progress(NamedTuple):
    """The finished steps, and F1 on dev for the finished epochs."""

    step: int
    dev_f1: list[float]


class RunResult(NamedTuple):
    """A run's record, and the entities of test, or of dev if the run doesn't read test."""

    record: Record
    gold: Sentences
    predicted: Sentences


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
