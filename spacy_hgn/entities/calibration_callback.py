"""What spaCy's config can run on a pipeline at certain times of the training."""

import logging
from collections.abc import Callable
from typing import cast

from spacy.language import Language

from .scored_docs import Corpus, Tagger, calibrate, judge

logger = logging.getLogger("spacy_hgn")


def make_calibration(corpus: Corpus, component: str = "hgn_ner") -> Callable[[Language], Language]:
    """Calibrate on a corpus before the pipeline is written: ``training.before_to_disk``.

    Where calibration would do harm, scores stay as they are, and a warning says why.

    corpus: not the one that is trained on, say ``${corpora.dev}``. component: the component's
    name in the pipeline.
    """

    def calibrate_pipeline(nlp: Language) -> Language:
        texts = judge(nlp, component, corpus)
        reason = calibrate(cast(Tagger, nlp.get_pipe(component)), texts)
        if reason is not None:
            logger.warning("%s isn't calibrated, its temperature is 1: %s", component, reason)
        return nlp

    return calibrate_pipeline
