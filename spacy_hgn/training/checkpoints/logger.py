"""The registered logger that writes checkpoints."""

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
    """Make a logger that writes checkpoints, and resumes from the last one.

    path: a folder for this run alone. frequency: steps between checkpoints; None is one after each
    evaluation. logger: the logger inside; None is ``spacy-hgn.ConsoleLogger.v1``.
    progress_bar: whether that logger shows one.
    Raises ValueError for a frequency below 1, and if another process trains with the folder, before
    spaCy clears the output of that training. The returned logger raises ValueError if the last
    checkpoint is damaged or belongs to a run with another config or other data.
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
            going_on = f"Resuming after step {last[1].step}, from {last[0]}"
            stdout.write(Printer(no_print=True).info(going_on) + "\n")
            return Replay(nlp, folder, frequency, *last)
        except BaseException:
            folder.release()
            raise

    return hooked(make_console_logger(progress_bar) if logger is None else logger, make_hooks)
