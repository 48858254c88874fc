"""Two ranks over a frozen Hero, that share a folder of its vectors."""

import pytest
import spacy
from checkpoints.helpers import table
from checkpoints.test_frozen_hero import frozen_config

from .helpers import ranks_config, train

pytestmark = pytest.mark.long


def test_two_ranks(tiny_bert, folder):
    frozen = frozen_config(tiny_bert)
    config = ranks_config(tiny_bert)
    config["components"] = frozen["components"]
    config["components"]["transformer"]["model"]["kept_in"] = str(folder / "kept")
    first, second = train([config, config], folder)
    assert (first.code, second.code) == (0, 0), first.error + second.error
    assert len(set(first.result)) > 10  # they do learn
    assert first.result == second.result
    assert len(table(first.printed)) == 4
    [kept] = (folder / "kept").iterdir()
    assert list(kept.glob("*.safetensors"))
    assert not list(kept.glob("*.part"))
    assert spacy.load(folder / "out" / "model-best")("Maria lives in Lisbon .")
