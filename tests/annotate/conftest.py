"""Pipelines on disk."""

from pathlib import Path

import pytest
import spacy
from spacy.cli._util import import_code

pytest.importorskip("pyarrow", reason="Parquet needs pyarrow: pip install 'spacy-hgn[annotate]'")

from component.helpers import make_nlp, train

from .helpers import CITIES, CODE, PEOPLE


@pytest.fixture(scope="session")
def ruler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that knows names by heart."""
    nlp = spacy.blank("xx")
    patterns = [{"label": "PERSON", "pattern": name} for name in PEOPLE]
    patterns += [{"label": "GPE", "pattern": name} for name in CITIES]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    folder = tmp_path_factory.mktemp("ruler")
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def exploding(ruler: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a component that fails on "boom"; it needs ``CODE``."""
    import_code(CODE)
    nlp = spacy.load(ruler)
    nlp.add_pipe("exploding")
    folder = tmp_path_factory.mktemp("exploding")
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def hgn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hgn_ner over a CNN, trained."""
    nlp = make_nlp()
    train(nlp)
    folder = tmp_path_factory.mktemp("hgn")
    nlp.to_disk(folder)
    return folder
