"""A project folder with a tiny Hero, a tiny corpus and a grid."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import srsly

from spacy_hgn.experiments.corpora import convert_corpus
from spacy_hgn.experiments.grid import Grid, GridRun
from spacy_hgn.experiments.plan import Job

ROOT = Path(__file__).parent.parent.parent
PART_SIZES = {"train": 40, "dev": 12, "test": 12}


@pytest.fixture
def project(tmp_path: Path, tiny_bert: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: configs, the Hero, and a few sentences of the sample corpus."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HGN_ASSETS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shutil.copytree(ROOT / "configs", "configs")
    Path("hero").symlink_to(tiny_bert)
    write_sample(Path("assets") / "tiny", PART_SIZES)
    return tmp_path


@pytest.fixture
def content() -> dict[str, Any]:
    """What is in a grid file: two systems, two seeds."""
    return {
        "config": "configs/hgn.cfg",
        "corpora": {"tiny": "tiny"},
        "heroes": {"bert": "hero"},
        "systems": {
            "base": {"components.hgn_ner.model.windows": []},
            "mlp": {"components.hgn_ner.model.windows": [1, 3]},
        },
        "seeds": [0, 1],
        "protocols": ["clean"],
        "epochs": 2,
        "batch": 8,
    }


def write_grid(content: dict[str, Any], name: str = "grid.yml") -> Path:
    """Write a grid file into the working folder."""
    srsly.write_yaml(name, content)
    return Path(name)


def make_job(run: GridRun, grid: Grid) -> Job:
    """A run's job, its corpus converted."""
    corpus = convert_corpus(run.corpus, run.source, Path("corpus") / "experiments")
    return Job(run, grid.config, corpus, threads=1, gpu_id=-1)


def write_sample(folder: Path, sizes: dict[str, int]) -> None:
    """Write the first sentences of each part of the sample corpus."""
    folder.mkdir(parents=True)
    for part, size in sizes.items():
        text = (ROOT / "assets" / "sample" / f"{part}.tsv").read_text(encoding="utf8")
        sentences = "\n\n".join(text.split("\n\n")[:size])
        (folder / f"{part}.tsv").write_text(sentences + "\n", encoding="utf8")
