"""Runs that are killed, and started again with the same command, end as if nothing had been."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import srsly
from thinc.api import Config

from .conftest import make_folder
from .helpers import CHECKPOINTS, META, files, table, train_in_a_process

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]


@pytest.fixture(scope="module")
def config_path(tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "hgn.cfg"
    tiny_config.to_disk(path)
    return path


@pytest.fixture(scope="module")
def whole(config_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that wasn't killed."""
    folder = make_folder(tmp_path_factory.mktemp("whole"))
    assert train_in_a_process(config_path, folder) == 0
    return folder


def assert_same_end(folder: Path, whole: Path) -> None:
    """The same two pipelines, byte for byte, and the same losses and scores on the way."""
    for name in ("model-last", "model-best"):
        pipeline, expected_pipeline = folder / "out" / name, whole / "out" / name
        assert files(pipeline) == files(expected_pipeline), name
        # Types are in the order of a set there: another one in every process.
        assert srsly.read_json(pipeline / META) == srsly.read_json(expected_pipeline / META)
    printed, expected = ((each / "printed.txt").read_text("utf8") for each in (folder, whole))
    assert table(printed) == table(expected)
    assert len(table(printed)) == 4


@pytest.mark.parametrize(
    ("moment", "last"),
    [
        pytest.param(("recording.Recording._write", 1), None, id="before the first checkpoint"),
        pytest.param(("folder.sync", 9), None, id="while the first is written"),
        pytest.param(("recording.Recording.update", 4), "step-0", id="between evaluations"),
        pytest.param(
            ("recording.Recording.after_step", 9), "step-4", id="right after an evaluation"
        ),
        pytest.param(
            ("checkpoint.Checkpoint.write", 3), "step-4", id="while a checkpoint is written"
        ),
        pytest.param(
            ("folder.CheckpointFolder._clear", 4), "step-8", id="before others are removed"
        ),
    ],
)
def test_killed_once(moment, last, config_path, whole, tmp_path):
    folder = make_folder(tmp_path)
    assert train_in_a_process(config_path, folder, moment) == -signal.SIGKILL
    steps = sorted(path.name for path in (folder / CHECKPOINTS).glob("step-?-*"))
    assert [step[:6] for step in steps[-1:]] == ([last] if last else [])
    assert train_in_a_process(config_path, folder) == 0
    assert_same_end(folder, whole)


def test_killed_again_and_again(config_path, whole, tmp_path):
    folder = make_folder(tmp_path)
    for moment in [
        ("recording.Recording.update", 3),
        ("replay.Replay.before_finish_update", 1),
        ("recording.Recording.after_step", 5),
        ("replay.Replay.update", 3),
        ("replay.Replay._arrive", 1),
        ("folder.sync", 5),
    ]:
        assert train_in_a_process(config_path, folder, moment) == -signal.SIGKILL
    assert train_in_a_process(config_path, folder) == 0
    assert_same_end(folder, whole)


def test_a_run_that_had_ended_ends_the_same_again(config_path, whole, tmp_path):
    folder = make_folder(tmp_path)
    for _ in range(2):
        assert train_in_a_process(config_path, folder) == 0
        assert_same_end(folder, whole)


def test_through_the_command_line(config_path, whole, tmp_path):
    folder = make_folder(tmp_path)
    command = [sys.executable, "-m", "spacy", "train", str(config_path), "--output", "out"]
    with (folder / "killed.txt").open("w") as printed:
        process = subprocess.Popen(command, cwd=folder, stdout=printed, stderr=printed)
        while process.poll() is None and not any((folder / CHECKPOINTS).glob("step-0-*")):
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL, (folder / "killed.txt").read_text()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Resuming after step" in done.stdout
    (folder / "printed.txt").write_text(done.stdout, "utf8")
    assert_same_end(folder, whole)
