"""The registered logger: training over several processes through ``[training.logger]``."""

import sys
from collections.abc import Callable
from itertools import count
from typing import IO, Any

import torch.distributed as dist
from spacy.language import Language

from ...backend.ranks import join, world_size
from ..logger import make_console_logger
from .run import Info, Run
from .scores import plain

LogStep = Callable[[Info | None], None]
Logger = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]

CHECKPOINTS = "spacy-hgn.Checkpoints.v1"
READER = "spacy-hgn.ShardedCorpus.v1"
BATCHERS = ("spacy.batch_by_sequence.v1", "spacy-hgn.EqualBatches.v1")

_made = count(1)


def make_distributed_logger(
    logger: Logger | None = None,
    backend: str | None = None,
    timeout: float = 1800,
    progress_bar: bool = False,
) -> Logger:
    """Make a logger under which the processes that ``torchrun`` started train one pipeline.

    logger: tells of the run, on the first rank; None is ``spacy-hgn.ConsoleLogger.v1``, with
    its progress_bar. backend: torch's; None is gloo on CPUs, NCCL on GPUs. timeout: after how many
    seconds of waiting for another rank a rank gives up; longer than an evaluation takes.
    In a single process it is ``logger`` and nothing else.
    Raises ValueError where there are fewer GPUs than ranks. What it returns raises ValueError
    where the ranks' pipelines differ, and where the config won't do for several processes.
    """
    told = make_console_logger(progress_bar) if logger is None else logger
    if world_size() == 1:
        return told
    ranks = join(backend, timeout)
    # spaCy makes a logger once to initialize and once to train. There it goes on to clear the
    # output folder: the first rank by itself, then the others, who find nothing to remove.
    takes_turns = next(_made) % 2 == 0
    if takes_turns and not ranks.is_first:
        dist.barrier()

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        if takes_turns and ranks.is_first:
            dist.barrier()
        check_config(nlp.config.interpolate())
        run = Run(nlp, ranks)
        tell, stop_telling = told(nlp, stdout, stderr) if ranks.is_first else _nobody()
        run.begin()

        def log_step(info: Info | None) -> None:
            run.after_step(info)
            tell(plain(info))

        def finalize() -> None:
            stop_telling()
            run.end(failed=sys.exc_info()[0] is not None)

        return log_step, finalize

    return setup


def check_config(config: dict[str, Any]) -> None:
    """Raise ValueError where a config that does for one process won't do for several."""
    training = config["training"]
    if CHECKPOINTS in _loggers(training["logger"]):
        raise ValueError(
            f"training.logger: {CHECKPOINTS} works in a single process alone, but torchrun "
            f"started {world_size()}. Use another logger, or train without torchrun."
        )
    reader = _at(config, training["train_corpus"]).get("@readers")
    if reader != READER:
        raise ValueError(
            f"{training['train_corpus']}: expected the reader {READER} around it, got {reader}. "
            "Without it all ranks train on the same texts."
        )
    batcher = training["batcher"]["@batchers"]
    if batcher not in BATCHERS:
        raise ValueError(
            f"training.batcher: expected one of {', '.join(BATCHERS)}, got {batcher}. Put "
            f"{BATCHERS[1]} around it, so that all ranks have as many batches."
        )


def _loggers(section: dict[str, Any]) -> list[str]:
    """The names of a logger and of those inside of it."""
    own = [section["@loggers"]] if "@loggers" in section else []
    inner = [_loggers(value) for value in section.values() if isinstance(value, dict)]
    return own + [name for names in inner for name in names]


def _at(config: dict[str, Any], dotted: str) -> dict[str, Any]:
    """The section of that name, empty if there is none."""
    for name in dotted.split("."):
        config = config.get(name, {})
    return config


def _nobody() -> tuple[LogStep, Callable[[], None]]:
    return (lambda info: None), (lambda: None)
