"""Shares, batches, gradients, random numbers and folders, each by itself."""

import multiprocessing
import os
import random
import signal
import sys
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thinc.api import Linear, PyTorchGradScaler, noop

from spacy_hgn.architectures import build_hero_gang_tok2vec
from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.backend.ranks import Ranks
from spacy_hgn.training.distributed.equal_batches import make_equal_batches
from spacy_hgn.training.distributed.gradients import GradientSum
from spacy_hgn.training.distributed.rank_hooks import _random_numbers, replace_folder
from spacy_hgn.training.distributed.same_weights import require_same_weights, take_first_weights
from spacy_hgn.training.distributed.sharded_corpus import make_sharded_corpus, shard_for, share
from spacy_hgn.training.loop.trained_models import TrainedModels

from .helpers import in_group

pytestmark = pytest.mark.slow


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(st.integers(0, 30), st.integers(1, 8))
def test_shares_are_of_one_size_and_leave_nothing_out(count, size):
    shares = [list(share(range(count), rank, size)) for rank in range(size)]
    assert len({len(each) for each in shares}) == 1
    assert {item for each in shares for item in each} == set(range(count))
    assert sum(len(each) for each in shares) < count + size


def test_a_pipeline_that_is_not_trained_sees_the_whole_corpus():
    nlp, other = spacy.blank("xx"), spacy.blank("xx")
    read = make_sharded_corpus(lambda nlp: range(6))  # type: ignore[arg-type, return-value]
    shard_for(nlp, Ranks(1, 2))
    assert list(read(nlp)) == [1, 3, 5]
    assert list(read(other)) == [0, 1, 2, 3, 4, 5]
    shard_for(nlp, None)
    assert list(read(nlp)) == [0, 1, 2, 3, 4, 5]


def test_development_data_are_read_as_a_whole_though_they_are_asked_for_before():
    nlp = spacy.blank("xx")
    read = make_sharded_corpus(lambda nlp: range(6))  # type: ignore[arg-type, return-value]
    shard_for(nlp, Ranks(1, 2))
    asked_for = read(nlp)
    shard_for(nlp, None)
    assert list(asked_for) == [0, 1, 2, 3, 4, 5]


def test_a_process_that_trains_alone_reads_nothing_where_there_are_several(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    read = make_sharded_corpus(lambda nlp: range(6))  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match=r"training\.logger to spacy-hgn\.Distributed\.v1"):
        list(read(spacy.blank("xx")))


def batch_unequally(ranks: Ranks) -> list[list[int]]:
    batch = make_equal_batches(lambda items: ([each] for each in items))  # type: ignore[arg-type]
    return list(batch(range(3 + 2 * ranks.rank)))  # type: ignore[arg-type]


def test_batches_end_on_all_ranks_where_one_has_no_more(tmp_path):
    assert in_group(batch_unequally, 2, tmp_path) == [[[0], [1], [2]]] * 2


def batch_nothing(ranks: Ranks) -> str:
    """The second rank's Examples are all too long."""
    batch = make_equal_batches(lambda items: ([each] for each in items if each))  # type: ignore[arg-type, misc]
    with pytest.raises(ValueError, match="at least one batch") as refused:
        next(iter(batch([1 - ranks.rank])))  # type: ignore[list-item]
    return str(refused.value)


def test_a_rank_without_any_batch_ends_all_instead_of_epochs_without_end(tmp_path):
    first, second = in_group(batch_nothing, 2, tmp_path)
    assert "rank 0 has one, but another has none" in first
    assert "rank 1 has none" in second


def sum_some_gradients(ranks: Ranks) -> dict:
    """Torch's and Thinc's; one on both ranks, one on the second alone, one on none."""
    nlp = spacy.blank("xx")
    gang = build_hero_gang_tok2vec(noop(), [1], "lstm", "dot").get_ref("flat")
    gang.initialize(X=[numpy.ones((2, 4), dtype="f")])
    linear = Linear(2, 2).initialize()
    ner = nlp.add_pipe("hgn_ner")
    tagger = nlp.add_pipe("tagger")
    ner.model, tagger.model = gang, linear  # type: ignore[attr-defined]
    both, second, none, *_ = (weight for _, weight in parameters(gang))
    both.grad = torch.full_like(both, 1.0 + ranks.rank)
    if ranks.rank == 1:
        second.grad = torch.full_like(second, 5.0)
        linear.set_grad("b", numpy.full(2, 7.0, dtype="f"))
        gang.shims[0]._grad_scaler._found_inf = True
    GradientSum(TrainedModels(nlp), ranks.device)()
    return {
        "both": both.grad.unique().tolist(),
        "second": second.grad.unique().tolist(),
        "none": none.grad,
        "thinc": linear.get_grad("b").tolist(),
        "thinc, none": linear.has_grad("W"),
        "overflow": gang.shims[0]._grad_scaler.found_inf,
    }


def overflow_on_one(ranks: Ranks) -> dict:
    """A step that all can take, and one where the second rank's gradients overflowed."""
    nlp = spacy.blank("xx")
    gang = build_hero_gang_tok2vec(noop(), [1], "lstm", "dot").get_ref("flat")
    gang.initialize(X=[numpy.ones((2, 4), dtype="f")])
    nlp.add_pipe("hgn_ner").model = gang  # type: ignore[attr-defined]
    sum_gradients = GradientSum(TrainedModels(nlp), ranks.device)
    optimizer = AdamW(0.1)
    optimizer.over_ranks = True
    scaler = gang.shims[0]._grad_scaler = PyTorchGradScaler(enabled=True, init_scale=1024.0)
    _, weight = parameters(gang)[0]
    moved = []
    for overflows in (False, ranks.rank == 1):
        weight.grad = torch.full_like(weight, float("inf") if overflows else 1.0)
        scaler._found_inf = overflows
        before = weight.detach().clone()
        sum_gradients()
        gang.finish_update(optimizer)
        moved.append(not torch.equal(weight, before))
    return {"moved": moved, "scale": scaler._scale.item(), "overflow": scaler.found_inf}


def test_all_ranks_skip_the_step_in_which_one_overflows(tmp_path):
    expected = {"moved": [True, False], "scale": 512.0, "overflow": False}
    assert in_group(overflow_on_one, 2, tmp_path) == [expected, expected]


def parameters(layer) -> list[tuple[str, torch.nn.Parameter]]:
    return list(layer.shims[0]._model.named_parameters())


def test_gradients_are_summed_though_a_rank_has_none(tmp_path):
    expected = {
        "both": [3.0],
        "second": [5.0],
        "none": None,
        "thinc": [7.0, 7.0],
        "thinc, none": False,
        "overflow": True,
    }
    assert in_group(sum_some_gradients, 2, tmp_path) == [expected, expected]


def train_unlike_weights(ranks: Ranks) -> list[str]:
    nlp = spacy.blank("xx")
    numpy.random.seed(ranks.rank)
    linear = Linear(2, 2).initialize()
    nlp.add_pipe("tagger").model = linear  # type: ignore[attr-defined]
    models = TrainedModels(nlp)
    with pytest.raises(ValueError, match="weights are no longer the same") as refused:
        require_same_weights(models, ranks)
    take_first_weights(models, ranks)
    require_same_weights(models, ranks)
    return [str(refused.value), str(linear.get_param("W"))]


def test_weights_that_differ_are_named_and_begin_as_the_first_rank_s(tmp_path):
    first, second = in_group(train_unlike_weights, 2, tmp_path)
    assert first == second
    assert "tagger.0.W is" in first[0]
    numpy.random.seed(0)
    assert first[1] == str(Linear(2, 2).initialize().get_param("W"))


def draw(ranks: Ranks) -> list[float]:
    random.seed(ranks.rank)
    stream = _random_numbers(ranks)
    with stream.drawing():
        own = [float(torch.rand(1)), float(numpy.random.random())]
    return [*own, random.random(), float(torch.rand(1))]


def test_ranks_compute_with_other_random_numbers_but_read_alike(tmp_path):
    first, second = in_group(draw, 2, tmp_path)
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert first[2:] == second[2:]


def test_a_folder_that_can_not_be_written_leaves_the_old_one(tmp_path):
    folder = tmp_path / "model-last"
    replace_folder(folder, lambda path: (path.mkdir(), (path / "a").write_text("old")))

    def fail(path):
        path.mkdir()
        (path / "a").write_text("half")
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        replace_folder(folder, fail)
    assert (folder / "a").read_text() == "old"
    replace_folder(folder, lambda path: (path.mkdir(), (path / "b").write_text("new")))
    assert [path.name for path in tmp_path.rglob("*")] == ["model-last", "b"]


def write_and_die(folder: Path) -> None:
    def write(path: Path) -> None:
        path.mkdir()
        (path / "a").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)

    replace_folder(folder, write)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_while_it_writes_leaves_the_old_folder(tmp_path):
    folder = tmp_path / "model-last"
    replace_folder(folder, lambda path: (path.mkdir(), (path / "a").write_text("old")))
    process = multiprocessing.get_context("forkserver").Process(
        target=write_and_die, args=(folder,)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (folder / "a").read_text() == "old"
    replace_folder(folder, lambda path: (path.mkdir(), (path / "a").write_text("new")))
    assert [path.name for path in tmp_path.rglob("*")] == ["model-last", "a"]
