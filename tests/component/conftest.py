"""Pipelines. Trained ones are made once a run; no test may change them, or their folders."""

from itertools import product
from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from thinc.api import fix_random_seed

from spacy_hgn.tags.decoding import DECODERS
from spacy_hgn.tags.tag_set import SCHEMES

from .helpers import make_hero_nlp, make_nlp, train, train_to_disk


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


@pytest.fixture
def nlp(cnn_folder: Path) -> Language:
    """The trained pipeline over a CNN, freshly loaded: tests may change it."""
    return spacy.load(cnn_folder)


@pytest.fixture(params=product(SCHEMES, DECODERS), ids="-".join)
def guessing_nlp(request: pytest.FixtureRequest) -> Language:
    """An untrained pipeline over a CNN that knows two labels, of each tag scheme and decoder."""
    tag_scheme, decoder = request.param
    nlp = make_nlp(tag_scheme=tag_scheme, decoder=decoder)
    for label in ("A", "B"):
        nlp.get_pipe("hgn_ner").add_label(label)
    return nlp


@pytest.fixture(scope="session")
def tiny_folder(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny transformer and hgn_ner, trained, on disk."""
    folder = tmp_path_factory.mktemp("tiny")
    return train_to_disk(make_hero_nlp(tiny_bert), folder, steps=60, learn_rate=0.003, drop=0.0)


@pytest.fixture
def tiny_nlp(tiny_folder: Path) -> Language:
    """The trained pipeline over a tiny transformer, freshly loaded: tests may change it."""
    return spacy.load(tiny_folder)


@pytest.fixture(scope="session")
def minilm_folder(minilm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM and hgn_ner, trained, on disk."""
    folder = tmp_path_factory.mktemp("minilm")
    return train_to_disk(make_hero_nlp(minilm), folder, steps=12, learn_rate=5e-4, drop=0.0)
