"""Tests of a GPU. Where there is none they are skipped, with a word on what is missing.

Pipelines are trained, and stored, once for the folder; no test may change what lies there.
``HGN_TEST_GPU_DRY=1`` runs all but what only CUDA can answer on the CPU.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from component.helpers import make_nlp
from spacy.language import Language
from thinc.api import fix_random_seed, require_cpu, set_gpu_allocator

from .helpers import DEVICE, DRY, hero_nlp, missing, teach

TESTS = Path(__file__).parent.parent


@pytest.fixture(scope="package", autouse=True)
def _on_the_gpu() -> Iterator[None]:
    """All of this folder runs on the GPU, and nothing else."""
    if found := missing():
        pytest.skip(f"These tests need a GPU: {found}")
    if not DRY:
        spacy.require_gpu(0)
        set_gpu_allocator("pytorch")
        warm_up()
    yield
    require_cpu()


def warm_up() -> None:
    """The first product on the way back, of which torch may warn once: warnings that our own code
    causes are errors in tests."""
    weights = torch.ones(2, 2, device=DEVICE, requires_grad=True)
    (weights @ weights).sum().backward()


@pytest.fixture(scope="session")
def minilm(request: pytest.FixtureRequest) -> str:
    """MiniLM's folder: the one that HGN_TEST_MINILM names, or that of all tests."""
    return os.environ.get("HGN_TEST_MINILM") or request.getfixturevalue("minilm")


Store = Callable[..., Path]


@pytest.fixture(scope="package")
def store(_on_the_gpu: None, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Trains a pipeline, the same each time, and writes it to a folder."""

    def store(nlp: Language, steps: int, learn_rate: float = 0.01) -> Path:
        fix_random_seed(0)
        folder = tmp_path_factory.mktemp("trained")
        teach(nlp, steps, learn_rate, drop=0.0)
        nlp.get_pipe("hgn_ner").temperature = 1.5
        nlp.to_disk(folder)
        return folder

    return store


@pytest.fixture(scope="package")
def cnn_folder(store: Store) -> Path:
    """hgn_ner over a CNN, in float32."""
    return store(make_nlp({"precision": "float32"}), 30)


@pytest.fixture(scope="package")
def tiny_folder(store: Store, tiny_bert: str) -> Path:
    """A tiny transformer and hgn_ner, in float32."""
    return store(hero_nlp(tiny_bert), 60, 0.003)


@pytest.fixture(scope="package")
def minilm_folder(store: Store, minilm: str) -> Path:
    """MiniLM and hgn_ner, in float32."""
    return store(hero_nlp(minilm), 12, 5e-4)


@pytest.fixture
def cnn_nlp(cnn_folder: Path) -> Language:
    """The trained pipeline over a CNN, freshly loaded."""
    return spacy.load(cnn_folder)


@pytest.fixture
def tiny_nlp(tiny_folder: Path) -> Language:
    """The trained pipeline over a tiny transformer, freshly loaded."""
    return spacy.load(tiny_folder)


Told = Callable[[], dict[str, Any]]


@pytest.fixture(scope="package")
def without_gpu(
    cnn_folder: Path,
    tiny_folder: Path,
    minilm_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Told]:
    """Has a process that sees no GPU load what was trained here, and train and store a pipeline
    itself. Begins at once; what it returns waits for what that process tells."""
    folder = tmp_path_factory.mktemp("without-gpu")
    names = {"cnn": cnn_folder, "tiny": tiny_folder, "minilm": minilm_folder}
    task = json.dumps({"loads": {k: str(v) for k, v in names.items()}, "into": str(folder)})
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-m", "gpu.without_gpu", task],
        env={**os.environ, "PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": ""},
        stdout=(folder / "printed.txt").open("w"),
        stderr=subprocess.STDOUT,
    )

    def told() -> dict[str, Any]:
        assert process.wait(timeout=120) == 0, (folder / "printed.txt").read_text("utf8")
        return json.loads((folder / "told.json").read_text("utf8"))

    yield told
    process.kill()
    process.wait()
