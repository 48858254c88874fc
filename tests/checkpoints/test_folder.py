"""A folder of files and pipelines that are there whole or not at all, for one process at a time."""

import multiprocessing
import signal
import sys

import pytest

from spacy_hgn.training.checkpoints.folder import CheckpointFolder


@pytest.fixture
def pipeline(tmp_path):
    path = tmp_path / "model-best"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "a").write_text("a")
    return path


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    return CheckpointFolder(tmp_path / "checkpoints")


def test_the_best_pipeline_is_put_back(folder, pipeline):
    name = folder.keep_best(3, pipeline)
    (pipeline / "inner" / "a").write_text("changed")
    (pipeline / "b").write_text("another")
    folder.put_back_best(name, pipeline)
    assert [path.name for path in pipeline.rglob("*")] == ["inner", "a"]
    assert (pipeline / "inner" / "a").read_text() == "a"


def test_failing_leaves_nothing(folder, tmp_path):
    with pytest.raises(OSError, match=r"Can't write the checkpoint .*best-3: .*missing"):
        folder.keep_best(3, tmp_path / "missing")
    assert list(folder.path.iterdir()) == []


def test_what_a_killed_writer_left_is_cleared(folder):
    (folder.path / "step-3.unfinished").write_text("half")
    (folder.path / "best-3.unfinished").mkdir()
    (folder.path / "notes").write_text("mine")
    assert folder.last() is None
    assert [path.name for path in folder.path.iterdir()] == ["notes"]


def lock_and_wait(path, locked):
    folder = CheckpointFolder(path)
    folder.lock()
    locked.set()
    signal.pause()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_one_process_at_a_time_and_none_that_was_killed(folder):
    context = multiprocessing.get_context("fork")
    locked = context.Event()
    other = context.Process(target=lock_and_wait, args=(folder.path, locked), daemon=True)
    other.start()
    assert locked.wait(60)
    with pytest.raises(ValueError, match="another process is training with"):
        folder.require_free()
    other.kill()
    other.join()
    folder.require_free()
