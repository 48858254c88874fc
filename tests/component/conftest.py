"""Trained pipelines, made once a run; no test may change them."""

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from thinc.api import fix_random_seed

from .helpers import make_hero_nlp, make_nlp, train


@pytest.fixture(scope="session")
def cnn_nlp() -> Language:
    """hgn_ner over a CNN, trained."""
    fix_random_seed(0)
    nlp = make_nlp()
    train(nlp)
    return nlp


@pytest.fixture(scope="session")
def cnn_folder(cnn_nlp: Language, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained pipeline over a CNN on disk."""
    folder = tmp_path_factory.mktemp("cnn")
    cnn_nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny transformer and hgn_ner, trained, on disk."""
    fix_random_seed(0)
    nlp = make_hero_nlp(tiny_bert)
    train(nlp, steps=60, learn_rate=0.003, drop=0.0)
    folder = tmp_path_factory.mktemp("tiny")
    nlp.to_disk(folder)
    return folder


@pytest.fixture
def tiny_nlp(tiny_folder: Path) -> Language:
    """The trained pipeline over a tiny transformer, freshly loaded: tests may change it."""
    return spacy.load(tiny_folder)


@pytest.fixture(scope="session")
def minilm_folder(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM and hgn_ner, trained, on disk."""
    fix_random_seed(0)
    nlp = make_hero_nlp(minilm)
    train(nlp, steps=12, learn_rate=5e-4, drop=0.0)
    folder = tmp_path_factory.mktemp("minilm")
    nlp.to_disk(folder)
    return folder
