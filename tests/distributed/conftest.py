"""A folder with corpora, and a Hero whose own dropout can be off."""

import json
import shutil
from pathlib import Path

import pytest
from checkpoints.helpers import write_corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Corpora to train in; two ranks can't share the eleven sentences evenly."""
    write_corpus(tmp_path / "train.spacy", 11)
    write_corpus(tmp_path / "dev.spacy", 5, offset=11)
    return tmp_path


@pytest.fixture(scope="session")
def steady_bert(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny BERT without dropout."""
    hero = tmp_path_factory.mktemp("steady") / "bert"
    shutil.copytree(tiny_bert, hero)
    config = json.loads((hero / "config.json").read_text())
    config.update(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    (hero / "config.json").write_text(json.dumps(config))
    return str(hero)
