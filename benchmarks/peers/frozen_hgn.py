"""The recipe ``frozen`` of spacy_hgn, as ``init config -o accuracy --recipe frozen`` writes it.

Batches of 32 sentences; AdamW, 1e-3 (2e-3 for a larger corpus) with a linear warmup over 10 % of
the steps and linear decay; dropout 0.3; an LSTM over a window of 7 on a learnt mix of the Hero's
layers; precision auto. The Hero's vectors are kept in memory.
"""

from typing import Any

from frozen_pipes import learn, load
from lessons import Lesson, serve
from spacy.util import load_model_from_config

from spacy_hgn.training.init_config import make_training_config

BATCHES = (32, 128, 1000)
PACKAGES = ("spacy-hgn", "spacy", "spacy-transformers", "transformers")


def train(lesson: Lesson, members: int | None = None) -> dict[str, Any]:
    sentences = len(lesson.sentences("train"))
    config = make_training_config(
        "en",
        lesson.hero,
        optimize="accuracy",
        recipe="frozen",
        sentences=sentences,
        members=members,
    )
    return learn(load_model_from_config(config), lesson)


if __name__ == "__main__":
    serve(train, load, BATCHES, *PACKAGES)
