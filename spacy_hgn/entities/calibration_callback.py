"""What spaCy's config can run on a pipeline at certain times of the training."""

from collections.abc import Callable
from typing import cast

from spacy.language import Language

from .scored_docs import Corpus, Tagger, calibrate, judge


def make_calibration(corpus: Corpus, component: str = "hgn_ner") -> Callable[[Language], Language]:
    """Calibrate on a corpus before the pipeline is written: ``training.before_to_disk``.

    corpus: not the one that is trained on, say ``${corpora.dev}``. component: the component's
    name in the pipeline.
    """

    def calibrate_pipeline(nlp: Language) -> Language:
        calibrate(cast(Tagger, nlp.get_pipe(component)), judge(nlp, component, corpus))
        return nlp

    return calibrate_pipeline
