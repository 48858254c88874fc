"""Results are kept whole, by several processes at once, whatever happens to them."""

import subprocess
import sys

import pytest

from spacy_hgn.experiments.store import Store

GOLD = [[(0, 2, "PER")], []]
PREDICTED = [[], [(1, 2, "LOC")]]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", tmp_path / "work")


def make_record(run_id, **more):
    return {"id": run_id, "corpus": "tiny", "corpus_digest": "1", "test": {"f": 1.0}, **more}


def test_what_is_added_is_read(store):
    store.add(make_record("a"), PREDICTED, GOLD)
    store.add(make_record("b", dev={"f": 2.0}), GOLD, GOLD)
    assert store.read() == {"a": make_record("a"), "b": make_record("b", dev={"f": 2.0})}
    assert store.read_predictions(make_record("a")) == PREDICTED
    assert store.read_gold(make_record("b")) == GOLD


def test_gold_of_dev_and_test_are_kept_apart(store):
    store.add(make_record("a"), PREDICTED, GOLD)
    store.add(make_record("b", test=None), PREDICTED, GOLD[:1])
    assert store.read_gold(make_record("a")) == GOLD
    assert store.read_gold(make_record("b", test=None)) == GOLD[:1]


def test_run_done_again_replaces_the_first(store):
    store.add(make_record("a", seed=1), PREDICTED, GOLD)
    store.add(make_record("a", seed=2), PREDICTED, GOLD)
    assert store.read()["a"]["seed"] == 2


def test_line_that_was_cut_short_spoils_no_other(store):
    store.add(make_record("a"), PREDICTED, GOLD)
    store.runs.write_bytes(store.runs.read_bytes() + b'{"id": "b", "cor')
    assert set(store.read()) == {"a"}
    store.add(make_record("c"), PREDICTED, GOLD)
    assert set(store.read()) == {"a", "c"}


def test_same_predictions_are_the_same_file(store, monkeypatch):
    store.add(make_record("a"), PREDICTED, GOLD)
    (path,) = (store.folder / "predictions").iterdir()
    before = path.read_bytes()
    monkeypatch.setattr("time.time", lambda: 0.0)
    store.add(make_record("a"), PREDICTED, GOLD)
    assert path.read_bytes() == before


def test_run_is_claimed_once(store):
    claim = store.claim("a")
    assert claim
    assert store.claim("a") is None
    assert store.claim("b")
    claim.release()
    assert store.claim("a")


def test_claim_of_a_killed_process_is_free(store):
    code = (
        "import sys; from pathlib import Path; from spacy_hgn.experiments.store import Store\n"
        f"claim = Store(Path({str(store.folder)!r}), Path({str(store.work)!r})).claim('a')\n"
        "print('claimed', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout.readline().strip() == b"claimed"
        assert store.claim("a") is None
        process.kill()
    assert store.claim("a")


def test_sweep_removes_what_nobody_works_on(store):
    claim = store.claim("busy")
    store.make_folder("busy")
    store.make_folder("killed")
    store.sweep()
    assert (store.work / "busy").exists()
    assert not (store.work / "killed").exists()
    claim.release()


def test_failure_keeps_its_log(store, tmp_path):
    (tmp_path / "log.txt").write_text("Traceback ...")
    kept = store.add_failure("a", "ValueError: no", tmp_path / "log.txt")
    assert kept.read_text() == "Traceback ..."
    assert "ValueError: no" in store.failures.read_text()
    assert store.read() == {}


def test_nothing_is_read_where_nothing_is(store):
    assert store.read() == {}
