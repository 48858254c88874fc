"""One seed, one result: bit for bit, on a CPU."""

import hashlib
from pathlib import Path

import pytest

from .helpers import files, hero_config, train

pytestmark = pytest.mark.slow


def digest(folder: Path) -> str:
    return hashlib.sha256(repr(files(folder)).encode("utf8")).hexdigest()


def test_same_seed_same_weights(folder, tiny_bert):
    config = hero_config(tiny_bert)
    config["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False}
    digests = []
    for seed in (1, 1, 2):
        config["system"]["seed"] = seed
        train(config)
        model_last = folder / "out" / "model-last"
        digests.append([digest(model_last / name) for name in ("transformer", "hgn_ner")])
    assert digests[0] == digests[1]
    assert all(one != other for one, other in zip(digests[1], digests[2]))
