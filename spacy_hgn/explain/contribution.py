"""How much the Gang contributes: the share of the windows, and F1 without them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from spacy.language import Language

from ..tagger.committee import Committee
from ..tagger.flat import shim_of
from ..tagger.hero_gang import HeroGang

NOTHING = 0.01
"""Below this share, windows have no effect."""


@dataclass(frozen=True)
class Contribution:
    """What a Gang contributes to predictions.

    share: the norm of what the windows add to a token's fused vector, divided by the norm of that
    vector; the mean over tokens. f1: of the pipeline as it is. silenced: F1 with the windows
    replaced by zeros, which the classifier wasn't trained for.
    """

    share: float
    f1: float
    silenced: float

    @property
    def warning(self) -> str | None:
        """What to do if the windows contribute almost nothing; otherwise None."""
        if self.share >= NOTHING:
            return None
        return (
            f"The windows contribute almost nothing: {self.share:.2%} of a token's vector. The "
            "Gang takes time without having an effect. Train with the fusion dot or add, which add "
            "the windows to the Hero, or without windows: windows = []."
        )


def measure_contribution(
    nlp: Language, evaluate: Callable[[], float], name: str = "hgn_ner"
) -> Contribution | None:
    """Measure what the Gang of a component contributes. Returns None if it has no windows.

    evaluate: predicts with nlp and returns the F1. Raises ValueError if the component isn't an
    ``hgn_ner``, or if there are no tokens to predict.
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
    with module.recording_shares() as recorded:
        f1 = evaluate()
    with module.silencing():
        silenced = evaluate()
    if not recorded:
        raise ValueError("Expected texts with tokens, got none.")
    share = torch.cat(recorded).mean().item()
    return Contribution(share, f1, silenced)
