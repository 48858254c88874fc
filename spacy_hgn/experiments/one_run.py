"""What the process of one run does: with its own threads and memory, and a crash of its own."""

import os
import traceback
from datetime import datetime, timezone
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
    """The steps done, and the F1 on dev of the epochs done."""

    step: int
    dev_f1: list[float]


class Result(NamedTuple):
    """A run's record, and the entities of test, or of dev where it doesn't test."""

    record: Record
    gold: Sentences
    predicted: Sentences


def do_run(job: Job, folder: Path, runner: Connection) -> None:
    """Train in a folder. All that is printed goes to the log there.

    runner: is sent Progress, and at last the Result, or what went wrong, in words. When it's gone,
    so is this process.
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


def do_job(job: Job, folder: Path, listen: Listener) -> Result:
    """Train; listen is told how far that is."""
    revision = describe_revision()  # while the code is what was imported
    config = build_config(job.run, job.config, job.sentences)
    trained = train(config, PROTOCOLS[job.run.protocol], job.paths(), folder, listen)
    record = {**job.describe(), **trained.describe(), "git": revision}
    record["finished"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    if trained.best_epoch:  # epochs are counted also where dev is scored less often
        per_score = job.run.epochs / len(trained.dev_f1)
        record["best_epoch"] = ceil(trained.best_epoch * per_score)
    predictions = trained.test or trained.dev
    assert predictions is not None  # every protocol reads one of them
    return Result(record, predictions.gold, predictions.predicted)
