"""Runs that are killed and started again lose no document, double none, and redo no shard."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .helpers import annotate, annotate_in_a_process, documents_in, files_in, ids_of, write_corpus

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]

MOMENTS = [
    pytest.param(("run.claim_output", 1), 0, id="before anything is written"),
    pytest.param(("manifest.write_whole", 1), 0, id="before the manifest"),
    pytest.param(("run.annotate_shard", 1), 0, id="before the first shard"),
    pytest.param(("prediction._predict_batch", 6), 1, id="within a shard"),
    pytest.param(("output.write_whole", 3), 1, id="before the files of a shard"),
    pytest.param(("output.write_whole", 4), 1, id="between the files of a shard"),
    pytest.param(("receipts._write_failures", 3), 2, id="before the dead letters"),
    pytest.param(("receipts.write_whole", 3), 2, id="before the receipt"),
    pytest.param(("run.annotate_shard", 4), 3, id="after a receipt"),
    pytest.param(("run.write_whole", 1), 7, id="after the last shard"),
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A file in each format with ten documents each: seven shards."""
    write_corpus(tmp_path / "corpus")
    return tmp_path / "corpus"


def shards_done(output: Path) -> int:
    return len(list((output / "done").glob("*.json")))


def assert_whole(output: Path, corpus: Path, ruler: Path, tmp_path: Path) -> None:
    """As if it had not been killed: the same bytes in the same files, and each id once."""
    assert documents_in(output) == ids_of(corpus)
    annotate(ruler, [corpus], tmp_path / "whole")
    found, expected = files_in(output), files_in(tmp_path / "whole")
    assert found.keys() == expected.keys()
    for name in expected:
        if name != "summary.json":
            assert found[name][1] == expected[name][1], name


@pytest.mark.parametrize(("moment", "done"), MOMENTS)
def test_killed_once(moment, done, corpus, ruler, tmp_path):
    output = tmp_path / "out"
    assert annotate_in_a_process(moment, ruler, [corpus], output) == -signal.SIGKILL
    assert shards_done(output) == done
    receipts = sorted((output / "done").glob("*.json"))
    stems = {receipt.stem for receipt in receipts}
    before = {name: file for name, file in files_in(output).items() if Path(name).stem in stems}
    summary = annotate(ruler, [corpus], output)
    assert (summary.before, summary.shards) == (done, 7)
    after = files_in(output)
    assert {name: after[name] for name in before} == before
    assert_whole(output, corpus, ruler, tmp_path)


@pytest.mark.long
def test_killed_again_and_again(corpus, ruler, tmp_path):
    output = tmp_path / "out"
    for moment in [
        ("manifest.write_whole", 1),
        ("prediction._predict_batch", 2),
        ("output.write_whole", 2),
        ("receipts.write_whole", 2),
        ("prediction._predict_batch", 5),
        ("output.write_whole", 5),
        ("run.annotate_shard", 2),
    ]:
        assert annotate_in_a_process(moment, ruler, [corpus], output) == -signal.SIGKILL
    summary = annotate(ruler, [corpus], output)
    assert summary.before > 0
    assert summary.documents == 40
    assert_whole(output, corpus, ruler, tmp_path)


def test_a_run_that_had_ended_does_nothing_again(corpus, ruler, tmp_path):
    output = tmp_path / "out"
    annotate(ruler, [corpus], output)
    before = files_in(output)
    summary = annotate(ruler, [corpus], output)
    assert (summary.before, summary.documents) == (7, 40)
    assert files_in(output) == before


def test_a_shard_whose_file_is_gone_or_cut_short_is_done_again(corpus, ruler, tmp_path):
    output = tmp_path / "out"
    annotate(ruler, [corpus], output)
    (output / "documents" / "0000001.parquet").unlink()
    (output / "entities" / "0000003.parquet").write_bytes(b"PAR1")
    assert annotate(ruler, [corpus], output).before == 5
    assert_whole(output, corpus, ruler, tmp_path)


def test_through_the_command_line(corpus, ruler, tmp_path):
    """Killed twice at no moment in particular."""
    output = tmp_path / "out"
    options = ["--shard-size", "8", "--batch-size", "3"]
    arguments = ["hgn", "annotate", str(ruler), str(corpus), str(output), *options]
    command = [sys.executable, "-m", "spacy", *arguments]
    for done in (1, 3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and shards_done(output) < done:
            time.sleep(0.001)
        process.kill()
        process.wait()
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "of 7 shards were done before" in ended.stdout
    assert "40 documents" in ended.stdout
    assert_whole(output, corpus, ruler, tmp_path)
