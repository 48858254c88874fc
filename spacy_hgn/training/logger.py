"""The registered logger: loss per token, and how often gradients are clipped."""

import sys
from collections.abc import Callable, Iterator
from typing import IO, Any

from spacy.language import Language
from spacy.training.loggers import console_logger
from thinc.api import Model

from ..backend.gradient_norms import Clipping
from ..backend.optimizer import AdamW
from ..backend.torch_shim import optimizer_of
from ..hero.listeners import is_mean

Info = dict[str, Any]
"""spaCy's information about a step with an evaluation."""
LogStep = Callable[[Info | None], None]
Logger = Callable[[Language, IO, IO], tuple[LogStep, Callable[[], None]]]


def make_console_logger(progress_bar: bool = False, logger: Logger | None = None) -> Logger:
    """Make a logger that summarizes, at each evaluation, the steps since the last one.

    The loss of ``hgn_ner`` is shown per token. With ``spacy-hgn.AdamW.v1``, another line shows the
    norm of the gradients before clipping and the share of clipped steps.

    progress_bar: whether to show one between evaluations. logger: the logger inside; None is
    spaCy's on the console. It receives the norm and the share in "other_scores", as
    ``gradient_norm`` and ``clipped``.
    """
    told = console_logger(progress_bar) if logger is None else logger

    def setup(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> tuple[LogStep, Callable[[], None]]:
        tell, finalize = told(nlp, stdout, stderr)
        steps = 0

        def log_step(info: Info | None) -> None:
            nonlocal steps
            steps += 1
            if info is None:
                tell(None)
                return
            clipping = read_clipping(nlp)
            tell({**info, **_losses_a_token(nlp, info, steps), **_scores(info, clipping)})
            if clipping is not None:
                print(_describe(clipping), file=stdout, flush=True)
            steps = 0

        return log_step, finalize

    return setup


def read_clipping(nlp: Language) -> Clipping | None:
    """Statistics of the steps since the last call; None if there were none, or without an
    AdamW."""
    found = [optimizer.norms.read() for optimizer in _optimizers(nlp)]
    return next((each for each in found if each is not None), None)


def _optimizers(nlp: Language) -> Iterator[AdamW]:
    """The AdamW optimizers that have updated the pipeline, each once."""
    seen = set()
    for _, pipe in nlp.pipeline:
        model = getattr(pipe, "model", None)
        for node in model.walk() if isinstance(model, Model) else ():
            for optimizer in filter(None, map(optimizer_of, node.shims)):
                if id(optimizer) not in seen:
                    seen.add(id(optimizer))
                    yield optimizer


def _losses_a_token(nlp: Language, info: Info, steps: int) -> Info:
    """The losses; those that are means over tokens are averaged over the steps."""
    means = {name for name, pipe in nlp.pipeline if is_mean(pipe)}
    losses = info["losses"].items()
    return {"losses": {name: loss / steps if name in means else loss for name, loss in losses}}


def _scores(info: Info, clipping: Clipping | None) -> Info:
    if clipping is None:
        return {}
    found = {"gradient_norm": clipping.median, "clipped": clipping.share}
    return {"other_scores": {**info["other_scores"], **found}}


def _describe(clipping: Clipping) -> str:
    steps = f"{clipping.steps} steps" if clipping.steps > 1 else "1 step"
    return (
        f"{'':11}gradients' norm {clipping.median:.3g} before clipping (median), "
        f"{clipping.share:.0%} of {steps} clipped"
    )
