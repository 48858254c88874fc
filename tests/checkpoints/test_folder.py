"""Folders that are there whole or not at all."""

import pytest

from spacy_hgn.training.checkpoints import folder


def test_no_name_before_all_is_written(tmp_path):
    target = tmp_path / "sub" / "one"
    with folder.writing(target) as unfinished:
        (unfinished / "inner").mkdir()
        (unfinished / "inner" / "a").write_text("a")
        assert not target.exists()
    folder.verify(target)
    assert (target / "inner" / "a").read_text() == "a"
    assert [path.name for path in target.parent.iterdir()] == ["one"]


def test_failing_leaves_nothing(tmp_path):
    def fail():
        with folder.writing(tmp_path / "one") as unfinished:
            (unfinished / "a").write_text("a")
            (unfinished / "missing" / "b").write_text("b")

    with pytest.raises(OSError, match=r"Can't write the checkpoint .*one: .*missing"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path):
    (tmp_path / "one.unfinished").mkdir()
    with folder.writing(tmp_path / "two"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
