"""A process that does one run: ``python -m spacy_hgn.experiments.one_run FOLDER RUNNER``.

FOLDER holds ``job.json``; the process leaves its results there, or what went wrong. RUNNER is the
id of the process that started it, without which it ends. In a process of its own, a run has its
own threads, gives back all of its memory, and takes nothing with it when it crashes.
"""

import os
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from math import ceil
from pathlib import Path
from timeit import default_timer
from typing import Any

from spacy_hgn.backend.gpu import use_gpu
from spacy_hgn.backend.gpu_errors import telling_gpu_errors
from spacy_hgn.util.environment import describe_machine, describe_revision, describe_software

from .job import ERROR, PREDICTIONS, RESULT, Job, read_job, write_progress
from .json_files import write_json
from .protocols import PROTOCOLS
from .settings import build_config, count_steps, flatten
from .train import Listener, Trained, train


def main(folder: Path, runner: int) -> None:
    """Do the job in a folder; what goes wrong is written there, and to the log in full."""
    try:
        with telling_gpu_errors():
            do_job(read_job(folder), folder, Watch(folder, runner))
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        (folder / ERROR).write_text(text, encoding="utf8")
        raise


def do_job(job: Job, folder: Path, listen: Listener) -> None:
    """Train, and write the result and the predictions.

    listen: is told how far the training is.
    """
    _prepare_device(job)
    revision = describe_revision()  # while the code is what was imported
    config = build_config(job.run, Path(job.config), job.training_sentences)
    trained = train(config, PROTOCOLS[job.run.protocol], job.paths(), folder, listen)
    evaluation = trained.test or trained.dev
    assert evaluation is not None  # every protocol reads one of them
    predictions = {"gold": evaluation.gold, "predicted": evaluation.predicted}
    write_json(folder / PREDICTIONS, predictions)
    origin = {**_describe_origin(job), "git": revision}
    record = {**_describe(job, trained), "config": flatten(config), **origin}
    write_json(folder / RESULT, record)


class Watch:
    """Tells the runner how far the training is, and ends it when the runner is gone."""

    def __init__(self, folder: Path, runner: int) -> None:
        self.folder = folder
        self.runner = runner
        self._epochs = -1
        self._written = 0.0

    def __call__(self, step: int, dev_f1: list[float]) -> None:
        if os.getppid() != self.runner:
            sys.exit("The runner is gone.")
        if len(dev_f1) != self._epochs or default_timer() - self._written > 1:
            self._epochs, self._written = len(dev_f1), default_timer()
            write_progress(self.folder, step, dev_f1)


def _describe(job: Job, trained: Trained) -> dict[str, Any]:
    """The run's settings and its scores."""
    return {
        **job.run.describe(),
        "steps": count_steps(job.run, job.training_sentences),
        "sentences": job.sentences,
        "test": trained.test.scores if trained.test else None,
        "dev": trained.dev.scores if trained.dev else None,
        "dev_f1": trained.dev_f1,
        "best_epoch": _find_best_epoch(job, trained),
        "contribution": trained.contribution and asdict(trained.contribution),
        "clipping": trained.clipping and asdict(trained.clipping),
        "seconds": {
            "training": round(trained.training_seconds, 1),
            "evaluation": round(trained.evaluation_seconds, 1),
        },
        "corpus_digest": job.corpus_digest,
    }


def _find_best_epoch(job: Job, trained: Trained) -> int | None:
    """Where a grid has dev scored less often than each epoch, epochs are counted all the same."""
    if trained.best_epoch is None:
        return None
    return ceil(trained.best_epoch * job.run.epochs / len(trained.dev_f1))


def _describe_origin(job: Job) -> dict[str, Any]:
    """When, with what and on what."""
    return {
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "software": describe_software(),
        "machine": {**describe_machine(job.gpu_id), "threads": job.threads},
    }


def _prepare_device(job: Job) -> None:
    import torch

    torch.set_num_threads(job.threads)
    use_gpu(job.gpu_id)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
