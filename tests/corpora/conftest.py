"""What the tests of corpora share."""

from collections.abc import Callable
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write text, or bytes, to a file of the test's folder."""

    def write_file(content: str | bytes, name: str = "corpus.tsv") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture(scope="session")
def nlp() -> Language:
    return spacy.blank("xx")
