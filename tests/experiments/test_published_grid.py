"""The published systems, up to the hub's door: with tiny checkpoints of the same architectures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import srsly
from tiny_heroes import build_bert_cased, build_xlnet

from spacy_hgn.experiments.grid import build_config, filter_runs, read_grid
from spacy_hgn.experiments.grid_file import PROTOCOLS
from spacy_hgn.experiments.published import PUBLISHED
from spacy_hgn.experiments.train import train

from .conftest import ROOT, make_job, write_grid, write_sample

pytestmark = pytest.mark.slow

GRID = ROOT / "experiments" / "published.yml"
ARCHITECTURES = {
    "bert-large-cased": build_bert_cased,
    "xlnet-large-cased": build_xlnet,
    "dmis-lab/biobert-large-cased-v1.1": build_bert_cased,
}


@pytest.fixture
def published(project):
    """The grid file's content, with few sentences of the sample corpus as its corpora."""
    content = srsly.read_yaml(GRID)
    for name in content["corpora"]:
        write_sample(Path("assets") / name, {"train": 4, "dev": 4, "test": 4})
    return {**content, "epochs": 1, "seeds": [0]}


def test_every_published_number_has_a_run():
    runs = read_grid(GRID).runs
    heroes = {"BERT-large-cased": "bert", "XLNet-large-cased": "xlnet", "BioBERT-large": "biobert"}
    expected = {
        (corpus, heroes[hero], system)
        for corpus, of_corpus in PUBLISHED.items()
        for hero, systems in of_corpus.items()
        for system in systems
    }
    assert {(run.corpus, run.hero, run.system) for run in runs} == expected


@pytest.mark.parametrize(
    ("corpus", "system", "windows", "rate"),
    [
        ("wnut16", "mlp", [1, 3, 5, 7], 3e-5),
        ("wnut17", "dot", [5, 7, 9], 5e-5),
        ("ontonotes", "mlp", [5, 7, 9], 1e-5),
        ("bc2gm", "mlp", [1, 3, 5], 1e-5),
        ("bc5cdr-disease", "dot", [5, 7, 9], 9e-6),
        ("bc5cdr-chem", "mlp", [5, 7, 11], 1e-5),
        ("bc5cdr-chem", "dot", [5, 7, 11], 9e-6),
        ("wnut17", "base", [], 5e-5),
    ],
)
def test_settings_are_those_of_table_4(corpus, system, windows, rate):
    for run in read_grid(GRID).runs:
        if (run.corpus, run.system) == (corpus, system):
            assert run.overrides["components.hgn_ner.model.windows"] == windows
            assert run.overrides["vars.hero_learn_rate"] == rate
            assert run.overrides["vars.learn_rate"] == rate
            assert run.batch == 32


def test_ontonotes_is_trained_on_train_alone():
    runs = [run for run in read_grid(GRID).runs if run.corpus == "ontonotes"]
    assert {run.training_parts for run in runs} == {("train",)}


@pytest.mark.parametrize(
    ("hero", "corpus"), [("bert", "wnut17"), ("xlnet", "wnut16"), ("biobert", "bc2gm")]
)
def test_heroes_train_where_the_hub_is_a_local_folder(published, hero, corpus):
    build = ARCHITECTURES[published["heroes"][hero]]
    published["heroes"][hero] = str(build(Path("heroes") / hero))
    grid = read_grid(write_grid(published, "published.yml"))
    for run in filter_runs(grid.runs, [f"hero={hero},corpus={corpus},system=base,system=dot"]):
        job = make_job(run, grid)
        trained = train(
            build_config(run, grid.config, job.sentences),
            PROTOCOLS[run.protocol],
            job.paths(),
            Path("work"),
            lambda step, dev_f1: None,
        )
        assert trained.test
        assert len(trained.test.predicted) == 4


def test_without_the_hub_the_model_is_named(published):
    write_grid(published, "published.yml")
    run = [sys.executable, "-m", "spacy", "hgn", "experiment", "run", "published.yml"]
    only = ["--only", "corpus=wnut17,hero=bert,system=dot", "--threads", "1"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*run, *only], capture_output=True, text=True, env=offline)
    assert done.returncode == 1
    assert "bert-large-cased" in done.stdout
