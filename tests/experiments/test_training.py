"""What each protocol trains on, looks at, and tests."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus

from spacy_hgn.experiments import train as training
from spacy_hgn.experiments.grid import build_config, read_grid
from spacy_hgn.experiments.grid_file import PROTOCOLS
from spacy_hgn.experiments.runner import do_job

from .conftest import PART_SIZES, make_job, write_grid

pytestmark = pytest.mark.slow

EPOCHS = 3


@pytest.fixture
def do(project, content, monkeypatch):
    """Train by a protocol; returns what came out, and every file that was read, in order."""

    def train(protocol, dev_f1=None):
        overrides = {"vars.hero_learn_rate": 1e-3, "vars.learn_rate": 1e-2}
        content.update(protocols=[protocol], epochs=EPOCHS, overrides=overrides)
        grid = read_grid(write_grid(content))
        job = make_job(grid.runs[1], grid)
        evaluations, steps = [], []
        _watch(monkeypatch, evaluations, dev_f1)
        trained = training.train(
            build_config(job.run, grid.config, job.sentences),
            PROTOCOLS[protocol],
            job.paths(),
            Path("work"),
            lambda step, f1: steps.append(step),
        )
        return trained, evaluations, steps, job

    return train


def _watch(monkeypatch, evaluations, dev_f1):
    """Note which part is evaluated after how many updates; on dev, answer with given F1."""
    evaluate = training.evaluate

    def noting(nlp, paths):
        predictions = evaluate(nlp, paths)
        part = paths[0].stem
        weights = nlp.get_pipe("hgn_ner").model.to_bytes()
        if part == "dev" and dev_f1:
            predictions.scores["f"] = [*dev_f1, 0, 0][sum(p == "dev" for p, _ in evaluations)]
        evaluations.append((part, weights))
        return predictions

    monkeypatch.setattr(training, "evaluate", noting)


def test_clean_evaluates_dev_each_epoch_and_test_once(do):
    trained, evaluations, steps, job = do("clean")
    contribution = ["dev", "dev"]  # with the windows, and with these silenced
    assert [part for part, _ in evaluations] == ["dev"] * EPOCHS + contribution + ["test"]
    assert job.sentences == PART_SIZES["train"]
    assert steps[-1] == EPOCHS * 5
    assert len(trained.dev_f1) == EPOCHS
    assert len(trained.test.predicted) == PART_SIZES["test"]
    assert trained.dev.scores["f"] == max(trained.dev_f1)


@pytest.mark.parametrize(
    ("dev_f1", "best"), [([10, 30, 20], 2), ([10, 20, 30], 3), ([30, 30, 0], 1)]
)
def test_clean_tests_the_best_epoch(do, dev_f1, best):
    trained, evaluations, _, _ = do("clean", dev_f1)
    assert trained.best_epoch == best
    tested = evaluations[-1][1]
    assert [tested == weights for _, weights in evaluations[:EPOCHS]] == [
        epoch == best for epoch in range(1, EPOCHS + 1)
    ]


def test_epochs_are_counted_where_dev_is_scored_less_often(project, content, monkeypatch):
    content.update(epochs=4, overrides={"training.eval_frequency": 10})
    grid = read_grid(write_grid(content))
    _watch(monkeypatch, [], [30, 20])
    record = do_job(make_job(grid.runs[0], grid), project, lambda step, dev_f1: None).record
    assert record["steps"] == 20
    assert record["dev_f1"] == [30, 20]
    assert record["best_epoch"] == 2


def test_paper_trains_on_dev_too_and_looks_at_test_alone(do):
    trained, evaluations, steps, job = do("paper")
    assert [part for part, _ in evaluations] == ["test"]
    assert job.sentences == PART_SIZES["train"] + PART_SIZES["dev"]
    assert steps[-1] == EPOCHS * 7
    assert trained.dev is None
    assert trained.best_epoch is None
    assert not Path("work").exists()


def test_search_never_reads_test(do, monkeypatch):
    read = []
    from_disk = DocBin.from_disk
    monkeypatch.setattr(
        DocBin, "from_disk", lambda self, path: read.append(path.stem) or from_disk(self, path)
    )
    trained = do("search")[0]
    assert set(read) == {"train", "dev"}
    assert trained.test is None
    assert trained.dev.scores["f"] == max(trained.dev_f1)


def test_same_seed_gives_the_same_result(do):
    first, second = (do("search")[0] for _ in range(2))
    assert first.dev_f1 == second.dev_f1
    assert first.dev.predicted == second.dev.predicted


def test_corpus_may_keep_dev_out_of_the_paper_protocol(project, content):
    content["corpora"] = {"tiny": {"source": "tiny", "paper_trains_on": ["train"]}}
    content["protocols"] = ["paper"]
    grid = read_grid(write_grid(content))
    assert make_job(grid.runs[0], grid).sentences == PART_SIZES["train"]


def test_tokens_are_those_of_the_corpus(tmp_path):
    vocab = spacy.blank("en").vocab
    reference = Doc(vocab, words=["I", "don't", "know", "U.S.-based", "@x"], spaces=[True] * 5)
    example = training.make_example(reference, spacy.blank("en"))
    assert [token.text for token in example.predicted] == [token.text for token in reference]
    DocBin(docs=[reference]).to_disk(tmp_path / "x.spacy")
    (by_spacy,) = Corpus(tmp_path / "x.spacy")(spacy.blank("en"))
    assert len(by_spacy.predicted) > len(reference)
