"""The registered logger: checkpoints through ``[training.logger]``."""

from pathlib import Path
from typing import IO

from spacy.language import Language
from wasabi import Printer

from ..logger import Logger, make_console_logger
from ..loop.hooks import hooked
from .folder import CheckpointFolder
from .recording import Recording
from .replay import Replay


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
    Raises ValueError for a frequency below 1, and where another process trains with the folder:
    before spaCy clears the output of that training. What it returns raises ValueError where the
    last checkpoint is damaged, or is of a run with another config or other data.
    """
    if frequency is not None and frequency < 1:
        raise ValueError(f"frequency: expected steps, at least 1, or null; got {frequency}.")
    folder = CheckpointFolder(Path(path))
    folder.require_free()

    def make_hooks(nlp: Language, stdout: IO) -> Recording:
        folder.lock()
        try:
            last = folder.last()
            if last is None:
                return Recording(nlp, folder, frequency)
            going_on = f"Going on after step {last[1].step}, from {last[0]}"
            stdout.write(Printer(no_print=True).info(going_on) + "\n")
            return Replay(nlp, folder, frequency, *last)
        except BaseException:
            folder.release()
            raise

    return hooked(make_console_logger(progress_bar) if logger is None else logger, make_hooks)
