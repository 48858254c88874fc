"""Results are kept whole, whatever happens to the process that writes them."""

import pytest

from spacy_hgn.experiments.grid_file import GridError
from spacy_hgn.experiments.records import Records
from spacy_hgn.experiments.runner import locked

GOLD = [[(0, 2, "PER")], []]
PREDICTED = [[], [(1, 2, "LOC")]]


@pytest.fixture
def records(tmp_path):
    return Records(tmp_path / "results")


def make_record(run_id, **more):
    return {"id": run_id, "corpus": "tiny", "corpus_digest": "1", "test": {"f": 1.0}, **more}


def test_what_is_added_is_read(records):
    records.add(make_record("a"), GOLD, PREDICTED)
    records.add(make_record("b", dev={"f": 2.0}), GOLD, GOLD)
    assert records.read() == {"a": make_record("a"), "b": make_record("b", dev={"f": 2.0})}
    assert records.read_predictions(make_record("a")) == PREDICTED
    assert records.read_gold(make_record("b")) == GOLD


def test_gold_of_dev_and_test_are_kept_apart(records):
    records.add(make_record("a"), GOLD, PREDICTED)
    records.add(make_record("b", test=None), GOLD[:1], PREDICTED)
    assert records.read_gold(make_record("a")) == GOLD
    assert records.read_gold(make_record("b", test=None)) == GOLD[:1]


def test_run_done_again_replaces_the_first(records):
    records.add(make_record("a", seed=1), GOLD, PREDICTED)
    records.add(make_record("a", seed=2), GOLD, PREDICTED)
    assert records.read()["a"]["seed"] == 2


def test_line_that_was_cut_short_spoils_no_other(records):
    records.add(make_record("a"), GOLD, PREDICTED)
    records.runs.write_bytes(records.runs.read_bytes() + b'{"id": "b", "cor')
    assert set(records.read()) == {"a"}
    records.add(make_record("c"), GOLD, PREDICTED)
    assert set(records.read()) == {"a", "c"}


def test_same_predictions_are_the_same_file(records, monkeypatch):
    records.add(make_record("a"), GOLD, PREDICTED)
    (path,) = (records.folder / "predictions").iterdir()
    before = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 0.0)
    records.add(make_record("a"), GOLD, PREDICTED)
    assert path.read_bytes() == before


def test_log_of_a_failed_run_is_kept(records, tmp_path):
    (tmp_path / "log.txt").write_text("Traceback ...")
    assert records.keep_log("a", tmp_path / "log.txt").read_text() == "Traceback ..."
    assert records.read() == {}


def test_a_grid_is_run_by_one_process(records):
    other = pytest.raises(GridError, match="another process runs this grid")
    with locked(records), other, locked(records):
        pass
    with locked(records):
        pass


def test_nothing_is_read_where_nothing_is(records):
    assert records.read() == {}
