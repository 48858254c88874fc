"""flair's SequenceTagger over TransformerWordEmbeddings that aren't fine-tuned.

The mean of all layers; reprojected, word dropout 0.05 and locked dropout 0.5, bidirectional LSTM
of 256, CRF, tags BIOES, all of which are flair's defaults. Its ``train``, which flair's
documentation has for a frozen Transformer, with its defaults: SGD, 0.1, halved after 3 epochs
without a better F1 on dev, mini batches of 32, gradients clipped at 5. The vectors are kept in
memory (``embeddings_storage_mode="cpu"``): each text is read once.

``train`` puts the frozen Hero into training mode too: what is kept of the train part was read with
the Hero's own dropout. frozen_flair_eval.py is without that.
"""

from collections.abc import Sequence
from typing import Any

import flair
import torch
from flair.data import Corpus, Sentence
from flair.datasets import FlairDatapointDataset
from flair.embeddings import TransformerWordEmbeddings
from flair.models import SequenceTagger
from flair.trainers import ModelTrainer
from flair.trainers.plugins import MetricHistoryPlugin, TrainerPlugin
from lessons import Entity, Lesson, Predict, check_frozen, serve
from passes import Texts

BATCHES = (8, 32, 128)
PACKAGES = ("flair", "transformers")

flair.device = torch.device("cpu")


def train(lesson: Lesson, plugins: Sequence[TrainerPlugin] = ()) -> dict[str, Any]:
    flair.set_seed(lesson.seed)
    parts = (read_part(lesson, part) for part in ("train", "dev"))
    corpus = Corpus(*parts, sample_missing_splits=False)
    embeddings = TransformerWordEmbeddings(
        lesson.hero, layers="all", layer_mean=True, fine_tune=False
    )
    tagger = SequenceTagger(
        embeddings, corpus.make_label_dictionary("ner"), "ner", hidden_size=256, use_crf=True
    )
    history = MetricHistoryPlugin()
    ModelTrainer(tagger, corpus).train(
        lesson.folder,
        learning_rate=0.1,
        mini_batch_size=32,
        max_epochs=lesson.epochs,
        embeddings_storage_mode="cpu",
        plugins=[history, *plugins],
    )
    f1 = history.metric_history["dev_score_history"]
    return {"F1 on dev by epoch": [round(100 * score, 3) for score in f1]}


def read_part(lesson: Lesson, part: str) -> FlairDatapointDataset:
    return FlairDatapointDataset(list(map(read_sentence, lesson.sentences(part))))


def read_sentence(content: dict[str, Any]) -> Sentence:
    sentence = make_sentence(content["words"])
    for start, end, label in content["entities"]:
        sentence[start:end].add_label("ner", label)
    return sentence


def make_sentence(words: list[str]) -> Sentence:
    sentence = Sentence(words)
    if len(sentence) != len(words):
        raise ValueError(f"Expected {len(words)} words, flair made {len(sentence)} of {words}.")
    return sentence


def load(lesson: Lesson) -> Predict:
    best = lesson.folder / "best-model.pt"  # none is saved where no epoch finds anything
    tagger = SequenceTagger.load(best if best.exists() else lesson.folder / "final-model.pt")
    check_frozen(tagger.embeddings.model, lesson.hero)

    def predict(texts: Texts, batch: int) -> list[list[Entity]]:
        sentences = list(map(make_sentence, texts))
        tagger.predict(sentences, mini_batch_size=batch)
        return [
            [(span[0].idx - 1, span[-1].idx, span.tag) for span in sentence.get_spans("ner")]
            for sentence in sentences
        ]

    return predict


if __name__ == "__main__":
    serve(train, load, BATCHES, *PACKAGES)
