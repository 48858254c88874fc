"""What goes wrong in commands that run a pipeline is told in a few lines, with exit status 1."""

import shutil
from pathlib import Path

import pytest
import spacy
from component.helpers import make_examples, make_nlp, train_to_disk
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_hgn.cli import hgn_cli

WITH_GOLD = ["calibrate", "contribution", "benchmark"]
COMMANDS = [*WITH_GOLD, "explain", "head"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory) -> Path:
    return train_to_disk(make_nlp(), tmp_path_factory.mktemp("pipeline"), steps=1)


@pytest.fixture(scope="module")
def gold(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("gold") / "gold.spacy"
    DocBin(docs=[eg.reference for eg in make_examples(spacy.blank("xx"))]).to_disk(path)
    return path


def refuse(command: str, pipeline: Path, gold: Path, out: Path, *more: str) -> str:
    """What a command says to its end with exit status 1, as one line."""
    words = {
        "calibrate": [pipeline, gold, "--output", out],
        "contribution": [pipeline, gold, "--json", out],
        "benchmark": [pipeline, gold, "--output", out, "--rounds", "1", "--batch-size", "4"],
        "explain": [pipeline, "Tim Cook runs Apple.", "--output", out],
        "head": [pipeline, out],
    }
    done = CliRunner().invoke(hgn_cli, [command, *map(str, words[command]), *more])
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 1, done.output
    assert "Traceback" not in done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipeline_that_is_not_there(command, gold, tmp_path):
    output = refuse(command, tmp_path / "none", gold, tmp_path / "out")
    assert str(tmp_path / "none") in output


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_no_pipeline(command, gold, tmp_path):
    assert str(tmp_path) in refuse(command, tmp_path, gold, tmp_path / "out")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipeline_without_the_component(command, gold, tmp_path):
    spacy.blank("xx").to_disk(tmp_path / "blank")
    output = refuse(command, tmp_path / "blank", gold, tmp_path / "out")
    assert "expected a pipeline with hgn_ner, got one with the components: none" in output


@pytest.mark.parametrize("name", ["config.cfg", "meta.json", "vocab/strings.json", "hgn_ner/model"])
@pytest.mark.parametrize("left", [0, 40])
def test_a_damaged_pipeline(name, left, pipeline, gold, tmp_path):
    shutil.copytree(pipeline, tmp_path / "damaged")
    file = tmp_path / "damaged" / name
    file.write_bytes(file.read_bytes()[:left])
    refuse("explain", tmp_path / "damaged", gold, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", WITH_GOLD)
def test_gold_that_cannot_be_read(command, pipeline, gold, tmp_path):
    whole = gold.read_bytes()
    for content in (b"", whole[:100], whole[:-20]):
        path = tmp_path / "damaged.spacy"
        path.write_bytes(content)
        assert f"{path}: expected a .spacy file" in refuse(command, pipeline, path, tmp_path / "o")
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refuse(command, pipeline, tmp_path / "empty", tmp_path / "o")


@pytest.mark.parametrize("command", ["calibrate", "contribution", "explain"])
def test_another_component(command, pipeline, gold, tmp_path):
    for name in ("other", "tok2vec"):
        output = refuse(command, pipeline, gold, tmp_path / "out", "--component", name)
        assert f"There is no hgn_ner called {name!r}" in output


@pytest.mark.parametrize("command", [*WITH_GOLD, "explain"])
def test_a_gpu_that_is_not_there(command, pipeline, gold, tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_hgn.backend.gpu.driver_cuda", lambda: 0)
    output = refuse(command, pipeline, gold, tmp_path / "out", "--gpu-id", "0")
    assert "Can't use GPU 0: there is no NVIDIA driver" in output


@pytest.mark.parametrize("command", [*WITH_GOLD, "explain"])
def test_a_place_that_cannot_be_written_to(command, pipeline, gold, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert str(tmp_path / "file") in refuse(command, pipeline, gold, tmp_path / "file" / "out")
    assert (tmp_path / "file").read_text() == "mine"
