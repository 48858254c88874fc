"""A folder with corpora, and configs of tiny runs in it."""

from pathlib import Path

import pytest
from thinc.api import Config

from .helpers import cnn_config, hero_config, write_corpus


def make_folder(folder: Path) -> Path:
    write_corpus(folder / "train.spacy", 10)
    write_corpus(folder / "dev.spacy", 5, offset=10)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with corpora to train in, and the current one."""
    monkeypatch.chdir(tmp_path)
    return make_folder(tmp_path)


@pytest.fixture(scope="session")
def tiny_config(tiny_bert: str) -> Config:
    return hero_config(tiny_bert)


@pytest.fixture
def small_config() -> Config:
    return cnn_config()
