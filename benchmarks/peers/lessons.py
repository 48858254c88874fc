"""What every script of frozen_peers.py does: train over a frozen Hero, then find entities.

A script is given a folder with the parts of a corpus, train, dev and test, and the Hero's folder.
A part is a JSON file of sentences, each with its words and its entities, and a .spacy file with
the same. The script writes a line of JSON to stdout: the seconds of the training and of each pass
over the test part, and the entities that it found in dev and test.
"""

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from passes import Texts, take_stdout, write
from transformers import AutoModel

ROUNDS = 3
"""Passes over the test part that are timed."""

TRIAL_TEXTS = 160
"""Texts by which the batch size is chosen."""

Entity = tuple[int, int, str]
"""First word, the word behind the last, and the type."""

Predict = Callable[[Texts, int], list[list[Entity]]]
"""Finds the entities of texts, in batches of a size."""


@dataclass(frozen=True)
class Lesson:
    """What is to be learnt. folder: takes checkpoints."""

    corpus: Path
    hero: str
    epochs: int
    seed: int
    folder: Path

    def spacy(self, part: str) -> Path:
        """A part's .spacy file."""
        return self.corpus / f"{part}.spacy"

    def sentences(self, part: str) -> list[dict[str, Any]]:
        """A part's sentences, words and entities."""
        return json.loads((self.corpus / f"{part}.json").read_text())

    def texts(self, part: str) -> Texts:
        """A part's words alone."""
        return [sentence["words"] for sentence in self.sentences(part)]


def serve(
    train: Callable[[Lesson], dict[str, Any]],
    load: Callable[[Lesson], Predict],
    batches: tuple[int, ...],
    *packages: str,
) -> None:
    """Train and predict.

    train: leaves the epoch with the best F1 on dev in the lesson's folder; what is to be told of
    it. Its time is that from a clean start: the Hero is loaded in it, and reads all texts. load:
    makes ready what it left. batches: sizes to choose from. packages: those whose versions matter.
    """
    lesson, threads = arguments()
    answers = take_stdout()
    torch.set_num_threads(threads)
    torch.manual_seed(lesson.seed)
    begin = time.perf_counter()
    told = train(lesson)
    seconds = time.perf_counter() - begin
    predict = load(lesson)
    dev = predict(lesson.texts("dev"), batches[0])  # warms up
    test = lesson.texts("test")
    trial = test[:TRIAL_TEXTS]
    tried = {batch: sum(map(len, trial)) / timed(predict, trial, batch)[0] for batch in batches}
    batch = max(tried, key=tried.__getitem__)
    passes = [timed(predict, test, batch) for _ in range(ROUNDS)]
    answer = {
        "seconds": seconds,
        "told": told,
        "pass seconds": [taken for taken, _ in passes],
        "batch": batch,
        "words/s by batch, warming up": {size: round(speed) for size, speed in tried.items()},
        "dev": dev,
        "test": passes[0][1],
        "versions": {package: version(package) for package in (*packages, "torch")},
    }
    write(answers, answer)


def arguments() -> tuple[Lesson, int]:
    """The lesson and the number of threads."""
    parser = ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("hero")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    given = parser.parse_args()
    lesson = Lesson(given.corpus, given.hero, given.epochs, given.seed, given.folder)
    return lesson, given.threads


def timed(predict: Predict, texts: Texts, batch: int) -> tuple[float, list[list[Entity]]]:
    """The seconds of a pass, and what it found."""
    start = time.perf_counter()
    found = predict(texts, batch)
    seconds = time.perf_counter() - start
    if len(found) != len(texts):
        raise ValueError(f"Expected predictions for {len(texts)} texts, got {len(found)}.")
    return seconds, found


def check_frozen(encoder: torch.nn.Module, hero: str) -> None:
    """Raise ValueError where an encoder's weights aren't the Hero's any more."""
    # Not all are read: a pooler is drawn at random where the Hero's file has none, and flair adds a
    # word piece of its own.
    published = AutoModel.from_pretrained(hero).state_dict()
    moved = [
        name
        for name, weights in encoder.state_dict().items()
        if not name.startswith("pooler.")
        and not torch.equal(weights[: len(published[name])], published[name])
    ]
    if moved:
        raise ValueError(f"The Hero was to stay as it is, but weights moved: {', '.join(moved)}")
