"""What importing brings along, and where spaCy finds what the package registers."""

import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HEAVY = {"torch", "transformers", "spacy_transformers", "pandas", "pyarrow", "ray"}
HEAVY |= {"scipy", "matplotlib", "spacy_hgn.hero", "spacy_hgn.gang", "spacy_hgn.tagger"}


@pytest.mark.parametrize(
    ("module", "before"), [("spacy_hgn", "spacy"), ("spacy_hgn.cli", "spacy.cli")]
)
def test_torch_and_its_like_come_only_when_they_are_used(module, before):
    code = (
        f"import sys; import {before}; before = set(sys.modules); import {module}; "
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    brought = set(done.stdout.split())
    assert module in brought
    assert not brought & HEAVY


def test_every_name_that_is_registered_is_there():
    project = Path(__file__).parent.parent / "pyproject.toml"
    groups = tomllib.loads(project.read_text(encoding="utf8"))["project"]["entry-points"]
    assert "spacy_factories" in groups
    for names in groups.values():
        for place in names.values():
            assert pkgutil.resolve_name(place) is not None, place
