"""A training that is stopped goes on to the weights that it would have come to."""

import numpy
import pytest
from checkpoints.helpers import ending_in, hero_config, train, write_corpus
from checkpoints.test_going_on import assert_same_weights, elsewhere
from component.helpers import TEXTS, probabilities
from interruption import Killed
from thinc.api import fix_random_seed

from .helpers import DEVICE, devices

PROBABILITY = 1e-4
"""How far tag probabilities may be apart at the end of two trainings of a Transformer in float32:
on its way back, torch's attention may sum in any order. Other dropout masks make five times as
much."""

PRECISIONS = ("components.transformer.model.precision", "components.hgn_ner.model.precision")


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """Trains twice: without a stop, and stopped in its eighth update to go on."""
    monkeypatch.chdir(tmp_path)
    write_corpus(tmp_path / "train.spacy", 10)
    write_corpus(tmp_path / "dev.spacy", 5, offset=10)

    def ended(config):
        whole, _ = train(elsewhere(config))
        with ending_in("recording.Recording.update", 8), pytest.raises(Killed):
            train(config)
        fix_random_seed(6)  # another process has other random numbers
        nlp, printed = train(config)
        assert "Resuming after step" in printed
        assert devices(nlp) == devices(whole) == {DEVICE.type}
        return nlp, whole

    return ended


def make_config(hero, **overrides):
    """Of transformer and hgn_ner, both with dropout."""
    config = hero_config(hero, **{"nlp.pipeline": ["transformer", "hgn_ner"], **overrides})
    del config["components"]["tagger"], config["components"]["doc_cleaner"]
    assert config["training"]["dropout"] > 0
    return config


def test_over_a_frozen_hero_bit_by_bit(ended, tiny_bert, tiny_folder):
    """All that is trained is ours: Gang, fusion, classifier and optimizer."""
    once = ["transformer"]
    overrides = {"training.frozen_components": once, "training.annotating_components": once}
    config = make_config(tiny_bert, **overrides)
    config["components"]["transformer"] = {"source": str(tiny_folder)}
    nlp, whole = ended(config)
    assert_same_weights(nlp, whole)


def test_with_the_hero(ended, tiny_bert):
    overrides = {"vars.learn_rate": 0.001, **dict.fromkeys(PRECISIONS, "float32")}
    nlp, whole = ended(make_config(tiny_bert, **overrides))
    for found, expected in zip(probabilities(nlp, TEXTS), probabilities(whole, TEXTS)):
        numpy.testing.assert_allclose(found, expected, atol=PROBABILITY, rtol=0)
