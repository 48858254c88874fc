"""Fixtures that all folders share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from thinc.api import fix_random_seed
from tiny_heroes import build_bert

from spacy_hgn.util.codecs import find_codecs_once

ROOT = Path(__file__).parent.parent

# The tests' arrays are tiny: several threads would wait for each other most of the time.
torch.set_num_threads(1)
find_codecs_once()
os.environ.setdefault("OMP_NUM_THREADS", "1")  # in processes that tests start


@pytest.fixture(autouse=True)
def _same_seed() -> None:
    """Every test begins with the same random numbers, whichever ran before."""
    fix_random_seed(0)


@pytest.fixture(scope="session")
def minilm() -> str:
    """The folder of the pretrained MiniLM; tests that need it skip where it can't be had."""
    script = ROOT / "scripts" / "fetch_hero.py"
    fetch = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    if fetch.returncode:
        pytest.skip(f"MiniLM can't be fetched: {(fetch.stderr or fetch.stdout)[-300:]}")
    return str(ROOT / "hero" / "minilm")


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny BERT with random weights."""
    return str(build_bert(tmp_path_factory.mktemp("tiny-bert")))
