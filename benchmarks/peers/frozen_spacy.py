"""spaCy's ner over a Transformer of spacy-transformers that is frozen and annotates.

Both as the quickstart writes them; the training is spaCy's default, which its quickstart has for
what learns on a processor: Adam 1e-3, L2 0.01, gradients clipped at 1, dropout 0.1, batches of
words that grow from 100 to 1,000. The Transformer is in ``frozen_components`` and in
``annotating_components``: it reads the texts anew in each epoch, and isn't updated. A listener
with ``grad_factor = 0`` doesn't freeze it: Adam's weight decay moves weights without gradients.
"""

from pathlib import Path
from typing import Any

from common import spacy_pipeline
from frozen_pipes import learn, load
from lessons import Lesson, serve

TRANSFORMER = ["transformer"]


def train(lesson: Lesson) -> dict[str, Any]:
    nlp = spacy_pipeline(Path(lesson.hero))
    return learn(nlp, lesson, frozen_components=TRANSFORMER, annotating_components=TRANSFORMER)


if __name__ == "__main__":
    serve(train, load, (32, 128, 1000), "spacy", "spacy-transformers", "thinc", "transformers")
