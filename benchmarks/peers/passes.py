"""What every peer's script does: load its model, then a pass over the texts for every line.

A script is given the texts, a JSON file of lists of words, and the Hero's folder. Ready, it writes
a line of JSON to stdout, the versions of its packages. For every line on stdin, a batch size and a
number of texts, it makes one pass over these and writes another: the seconds, and how many words it
tagged.
"""

import json
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple, TextIO

import torch

Texts = list[list[str]]

TYPES = ["corporation", "creative-work", "group", "location", "person", "product"]
TAGS = ["O", *(f"{prefix}-{label}" for label in TYPES for prefix in "BI")]

TAGGED = 0.074
"""The share of words in entities, as annotated in WNUT 2017's test part."""

SAMPLE = 64
"""The number of texts by which the head is balanced."""


class Peer(NamedTuple):
    """A loaded model.

    predict: finds entities in texts, in batches of a size; the number of words in entities of
        each text.
    prefer_none: sets by how much the head prefers "no entity"; all words are tagged at one end
        and none at the other.
    """

    predict: Callable[[Texts, int], list[int]]
    prefer_none: Callable[[float], None]


Load = Callable[[str, str], Peer]
"""From the Hero's folder and a precision."""


def serve(load: Load, *packages: str) -> None:
    """Load the peer and make a pass for every line. packages: those whose versions matter."""
    settings = arguments()
    texts = json.loads(settings.texts.read_text())
    answers = take_stdout()
    torch.set_num_threads(settings.threads)
    torch.manual_seed(0)
    peer = load(settings.hero, settings.precision)
    balance(peer, texts)
    write(answers, {package: version(package) for package in (*packages, "torch")})
    for line in sys.stdin:
        batch, limit = map(int, line.split())
        write(answers, timed_pass(peer, texts[:limit], batch))


def take_stdout() -> TextIO:
    """Keep stdout for answers; what libraries log there goes to stderr from now on."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def arguments() -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("texts", type=Path)
    parser.add_argument("hero")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", required=True)
    return parser.parse_args()


def balance(peer: Peer, texts: Texts) -> None:
    """Have an untrained head tag a plausible share of words, found by bisection.

    As it is drawn it tags nearly all words, or none, and finding entities costs time.
    """
    sample = texts[:: max(1, len(texts) // SAMPLE)][:SAMPLE]
    words = sum(map(len, sample))
    low, high = -4.0, 4.0
    for _ in range(12):
        middle = (low + high) / 2
        peer.prefer_none(middle)
        if sum(peer.predict(sample, 32)) > TAGGED * words:
            low = middle
        else:
            high = middle
    peer.prefer_none(low)


def timed_pass(peer: Peer, texts: Texts, batch: int) -> dict[str, float]:
    start = time.perf_counter()
    tagged = peer.predict(texts, batch)
    seconds = time.perf_counter() - start
    if len(tagged) != len(texts):
        raise ValueError(f"Expected predictions for {len(texts)} texts, got {len(tagged)}.")
    if not any(tagged):
        raise ValueError(f"Expected entities in {len(texts)} texts, got none.")
    return {"seconds": seconds, "tagged": sum(tagged)}


def write(stream: TextIO, message: dict) -> None:
    print(json.dumps(message), file=stream, flush=True)
