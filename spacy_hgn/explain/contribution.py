"""How much the Gang says: what the windows bring, and what is lost when they say nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from spacy.language import Language

from ..tagger.committee import Committee
from ..tagger.flat import shim_of
from ..tagger.hero_gang import HeroGang

NOTHING = 0.01
"""The share below which windows might as well not be there."""


@dataclass(frozen=True)
class Contribution:
    """What a Gang contributes to predictions.

    share: the norm of what the windows bring to a token's fused vector over the norm of that
    vector, the mean over tokens. f1: as the pipeline is. silenced: with windows of zeros, which
    the classifier wasn't trained for.
    """

    share: float
    f1: float
    silenced: float

    @property
    def warning(self) -> str | None:
        """What to do where the windows say nothing; None where they say something."""
        if self.share >= NOTHING:
            return None
        return (
            f"The windows say nothing: they bring {self.share:.2%} of a token's vector. The "
            "pipeline is its Hero, at the price of a Gang. Train with the fusion dot or add, which "
            "add the windows to the Hero, or without them: windows = []."
        )


def measure_contribution(
    nlp: Language, evaluate: Callable[[], float], name: str = "hgn_ner"
) -> Contribution | None:
    """What the Gang of a component contributes; None where it has no windows.

    evaluate: predicts with nlp and returns the F1. Raises ValueError for another component than
    ours, and where nothing is predicted.
    """
    model = getattr(nlp.get_pipe(name), "model", None) if name in nlp.pipe_names else None
    if model is None or not model.has_ref("flat"):
        raise ValueError(
            f"Expected the name of a component hgn_ner, got {name!r}; there are "
            f"{', '.join(nlp.pipe_names)}."
        )
    module = shim_of(model.get_ref("flat"))._model
    if not module.has_windows:
        return None
    return _measure(module, evaluate)


def _measure(module: HeroGang | Committee, evaluate: Callable[[], float]) -> Contribution:
    with module.listening() as heard:
        f1 = evaluate()
    with module.silencing():
        silenced = evaluate()
    if not heard:
        raise ValueError("Expected texts with tokens to measure on, got none.")
    share = torch.cat(heard).mean().item()
    return Contribution(share, f1, silenced)
