"""What is trained on a GPU says the same where there is none, and the other way round."""

from pathlib import Path

import pytest
import spacy
from component.helpers import DATA, entities_of
from numpy.testing import assert_allclose
from thinc.api import use_ops

from .helpers import PROBABILITY, describe

ALTERNATIVES = 3
"""How many of the most probable entities in a place are compared: those after may tie."""


@pytest.fixture(scope="package", params=["cnn", "tiny", "minilm"])
def both(request, without_gpu):
    """What a pipeline that was trained on the GPU tells there, and where there is none."""
    folder = request.getfixturevalue(f"{request.param}_folder")
    return describe(spacy.load(folder)), without_gpu()[request.param]


def test_the_same_entities_and_probabilities(both):
    here, there = both
    expected = [[list(entity) for entity in ents] for _, ents in DATA]
    assert here["entities"] == there["entities"]
    assert here["entities"][: len(DATA)] == expected
    for name in ("probabilities", "scores"):
        for found, wanted in zip(here[name], there[name], strict=True):
            assert_allclose(found, wanted, atol=PROBABILITY, rtol=0)


def test_the_same_explanation_and_alternatives(both):
    here, there = both
    assert here["explained"] == approximately(there["explained"])
    assert (
        here["alternatives"][:ALTERNATIVES] == approximately(there["alternatives"])[:ALTERNATIVES]
    )


def approximately(told):
    """What was told, with numbers that need not be the same in all digits."""
    if isinstance(told, float):
        return pytest.approx(told, abs=PROBABILITY)
    if isinstance(told, dict):
        return {name: approximately(value) for name, value in told.items()}
    return [approximately(value) for value in told] if isinstance(told, list) else told


def test_stored_in_as_many_bytes(both):
    here, there = both
    assert here["bytes"] == there["bytes"]


def test_trained_without_a_gpu_and_loaded_on_one(without_gpu):
    there = without_gpu()["trained"]
    folder = Path(there["folder"])
    here = describe(spacy.load(folder))
    assert here["entities"] == there["entities"]
    for found, wanted in zip(here["probabilities"], there["probabilities"], strict=True):
        assert_allclose(found, wanted, atol=PROBABILITY, rtol=0)


def test_a_cpu_beside_the_gpu(cnn_folder):
    """``use_ops`` loads a pipeline for the CPU in a process that uses a GPU."""
    here = spacy.load(cnn_folder)
    with use_ops("numpy"):
        there = spacy.load(cnn_folder)
        expected = [entities_of(there(text)) for text, _ in DATA]
    assert [entities_of(here(text)) for text, _ in DATA] == expected
