"""The registered logger: checkpoints through ``[training.logger]``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from spacy.language import Language
from wasabi import Printer

from ..logger import make_console_logger
from .checkpoint import Store
from .replay import Replay
from .run import Info, Run

LogStep = Callable[[Info | None], None]
Logger = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]


def make_checkpoint_logger(
    path: Path,
    frequency: int | None = None,
    logger: Logger | None = None,
    progress_bar: bool = False,
) -> Logger:
    """Make a logger that writes checkpoints, and goes on from the last one it finds.

    path: a folder that is this run's alone. frequency: steps between checkpoints; None is one
    after each evaluation. logger: tells of the run; None is ``spacy-hgn.ConsoleLogger.v1``, with
    its progress_bar.
    Raises ValueError for a frequency below 1. What it returns raises ValueError where the last
    checkpoint is damaged, or is of a run with another config or other data.
    """
    if frequency is not None and frequency < 1:
        raise ValueError(f"frequency: expected steps, at least 1, or null; got {frequency}.")
    told = make_console_logger(progress_bar) if logger is None else logger

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        store = Store(Path(path))
        last = store.last()
        run = Run(nlp, store, frequency)
        course = run if last is None else Replay(run, last)
        if last is not None:
            going_on = f"Going on after step {last.step}, from {store.path_of(last)}"
            stdout.write(Printer(no_print=True).info(going_on) + "\n")
        tell, stop_telling = told(nlp, stdout, stderr)
        course.begin()

        def log_step(info: Info | None) -> None:
            tell(info)
            course.after_step(info)

        def finalize() -> None:
            stop_telling()
            course.end()

        return log_step, finalize

    return setup
