"""Trainings of two ranks against each other and against one process."""

import numpy
import pytest
import spacy
from checkpoints.helpers import table, write_corpus

from spacy_hgn.training.loop.trained_models import TrainedModels

from .helpers import ranks_config, train

pytestmark = pytest.mark.slow


def test_ranks_have_the_same_weights_after_each_step(tiny_bert, folder):
    config = ranks_config(tiny_bert, **{"training.accumulate_gradient": 2})
    first, second = train([config, config], folder)
    assert (first.code, second.code) == (0, 0), first.error + second.error
    assert len(first.result) == 13
    assert len(set(first.result)) > 10  # they do learn
    assert first.result == second.result


@pytest.mark.long
def test_only_the_first_rank_tells_and_writes(tiny_bert, folder):
    config = ranks_config(tiny_bert)
    for _ in range(2):  # the second time there is an output folder to be cleared
        first, second = train([config, config], folder)
        assert (first.code, second.code) == (0, 0), first.error + second.error
        assert len(table(first.printed)) == 4
        assert "Pipeline" in first.printed
        assert table(second.printed) == []
        assert "Pipeline" not in second.printed
        assert sorted(p.name for p in (folder / "out").iterdir()) == ["model-best", "model-last"]
    best, last = (spacy.load(folder / "out" / f"model-{name}") for name in ("best", "last"))
    assert best.meta["performance"]["tag_acc"] >= last.meta["performance"]["tag_acc"] > 0


@pytest.mark.long
def test_best_pipeline_is_that_of_the_best_score(tiny_bert, folder):
    config = ranks_config(tiny_bert)
    train([config, config], folder)
    printed = (folder / "printed-0.txt").read_text("utf8")
    scores = [float(row.split()[-1]) for row in table(printed)]
    best = spacy.load(folder / "out" / "model-best").meta["performance"]
    assert best["tag_acc"] / 2 + best["ents_f"] / 2 == pytest.approx(max(scores), abs=0.006)


@pytest.mark.long
def test_two_ranks_learn_what_one_process_learns_from_both_batches(steady_bert, folder):
    write_corpus(folder / "train.spacy", 12)
    steady = {
        "training.max_epochs": -1,  # in the corpus's order
        "training.dropout": 0.0,
        "components.transformer.model.precision": "float32",
        "components.hgn_ner.model.precision": "float32",
    }
    two = ranks_config(steady_bert, **steady)
    one = ranks_config(steady_bert, **steady, **{"training.batcher.size": 4})
    first, _ = train([two, two], folder)
    of_two = _weights(folder)
    (alone,) = train([one], folder)
    for row, expected in zip(table(first.printed), table(alone.printed)):
        assert _numbers(row) == pytest.approx(_numbers(expected), rel=1e-3, abs=0.02)
    of_one = _weights(folder)
    for name, array in of_two.items():
        numpy.testing.assert_allclose(array, of_one[name], rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.long
def test_patience_ends_all_ranks_at_the_same_step(tiny_bert, folder):
    still = {"vars.learn_rate": 0.0, "vars.hero_learn_rate": 0.0, "training.patience": 4}
    config = ranks_config(tiny_bert, **still)
    outcomes = train([config, config], folder)
    assert [each.code for each in outcomes] == [0, 0]
    assert [len(each.result) for each in outcomes] == [5, 5]


@pytest.mark.long
def test_epochs_end_together_where_batches_are_counted_in_words(tiny_bert, folder):
    config = ranks_config(tiny_bert, **{"training.max_epochs": 3, "training.max_steps": 0})
    config["training"]["batcher"] = {
        "@batchers": "spacy-hgn.EqualBatches.v1",
        "batcher": {
            "@batchers": "spacy.batch_by_words.v1",
            "size": 20,
            "tolerance": 0.0,
            "discard_oversize": False,
        },
    }
    for section in ("learn_rate", "hero_learn_rate"):
        config["training"]["optimizer"][section]["total_steps"] = 100
    first, second = train([config, config], folder)
    assert (first.code, second.code) == (0, 0), first.error + second.error
    assert first.result == second.result


def _weights(folder) -> dict[str, numpy.ndarray]:
    nlp = spacy.load(folder / "out" / "model-last")
    return {name: t.detach().numpy() for name, t in TrainedModels(nlp).arrays().items()}


def _numbers(row: str) -> list[float]:
    return [float(number) for number in row.split()]
