"""The registered logger for training on several processes."""

from collections.abc import Callable
from typing import IO, Any

from spacy.language import Language
from spacy.util import dot_to_object
from thinc.api import Config

from ...backend.ranks import join, world_size
from ..logger import Logger, LogStep, make_console_logger
from ..loop.hooks import hooked
from .rank_hooks import RankHooks

CHECKPOINTS = "spacy-hgn.Checkpoints.v1"
READER = "spacy-hgn.ShardedCorpus.v1"
BATCHERS = (
    "spacy.batch_by_sequence.v1",
    "spacy-hgn.EqualBatches.v1",
    "spacy-hgn.batch_by_sequence.v1",
)


def make_distributed_logger(
    logger: Logger | None = None,
    backend: str | None = None,
    timeout: float = 1800,
    progress_bar: bool = False,
) -> Logger:
    """Make a logger with which processes started by ``torchrun`` train one pipeline.

    In a single process, it is the logger inside.

    logger: the logger inside, on the first rank; None is ``spacy-hgn.ConsoleLogger.v1``.
    backend: torch's; None is gloo on CPUs, NCCL on GPUs. timeout: maximum seconds to wait for
    another rank; longer than an evaluation takes. progress_bar: whether that logger shows one.
    Raises ValueError if there are fewer GPUs than ranks. The returned logger raises ValueError if
    the ranks' pipelines differ, and if the config isn't suitable for several processes.
    """
    told = make_console_logger(progress_bar) if logger is None else logger
    if world_size() == 1:
        return told
    ranks = join(backend, timeout)

    def make_hooks(nlp: Language, stdout: IO) -> RankHooks:
        check_config(nlp.config.interpolate())
        return RankHooks(nlp, ranks)

    return hooked(told if ranks.is_first else _tell_nobody, make_hooks)


def check_config(config: Config) -> None:
    """Raise ValueError if a config isn't suitable for several processes."""
    training = config["training"]
    if CHECKPOINTS in _loggers(training["logger"]):
        raise ValueError(
            f"training.logger: {CHECKPOINTS} only works in a single process, but torchrun "
            f"started {world_size()}. Use another logger, or train without torchrun."
        )
    reader = dot_to_object(config, training["train_corpus"]).get("@readers")
    if reader != READER:
        raise ValueError(
            f"{training['train_corpus']}: expected the reader {READER} around it, got {reader}. "
            "Without it, all ranks train on the same texts."
        )
    batcher = training["batcher"]["@batchers"]
    if batcher not in BATCHERS:
        raise ValueError(
            f"training.batcher: expected one of {', '.join(BATCHERS)}, got {batcher}. Put "
            f"{BATCHERS[1]} around it, so that all ranks have the same number of batches."
        )


def _loggers(section: dict[str, Any]) -> list[str]:
    """The names of a logger and of all loggers inside it."""
    own = [section["@loggers"]] if "@loggers" in section else []
    inner = [_loggers(value) for value in section.values() if isinstance(value, dict)]
    return own + [name for names in inner for name in names]


def _tell_nobody(*_: Any) -> tuple[LogStep, Callable[[], None]]:
    return (lambda info: None), (lambda: None)
