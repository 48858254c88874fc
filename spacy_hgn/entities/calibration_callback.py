"""The registered callback that calibrates a pipeline in training."""

import logging
from collections.abc import Callable
from typing import cast

from spacy.language import Language

from .scored_docs import Corpus, Tagger, calibrate, score_docs

logger = logging.getLogger("spacy_hgn")


def make_calibration(corpus: Corpus, component: str = "hgn_ner") -> Callable[[Language], Language]:
    """Make a callback for ``training.before_to_disk`` that calibrates the pipeline on a corpus.

    If calibration would make the scores worse, they stay as they are, and a warning says why.

    corpus: one that isn't used in training, such as ``${corpora.dev}``. component: the name of the
    component.
    """

    def calibrate_pipeline(nlp: Language) -> Language:
        texts = score_docs(nlp, component, corpus)
        reason = calibrate(cast(Tagger, nlp.get_pipe(component)), texts)
        if reason is not None:
            logger.warning("%s isn't calibrated, its temperature is 1: %s", component, reason)
        return nlp

    return calibrate_pipeline
