"""Ray does the same as this process, and goes on as it does."""

import os
import signal
import socket
from pathlib import Path

import pytest

from spacy_hgn.annotate.with_ray import Annotator

from .helpers import (
    CODE,
    annotate,
    command,
    documents_in,
    failures_in,
    files_in,
    ids_of,
    make_texts,
    write_corpus,
    write_lines,
)

pytestmark = pytest.mark.slow

pytest.importorskip("ray.data", reason="Ray isn't installed: pip install 'spacy-hgn[ray]'")

OPTIONS = ["--shard-size", 8, "--batch-size", 3]


class Dying(Annotator):
    """Kills its process, as the kernel does when memory runs out, before its second shard."""

    def annotate(self, shard):
        flag = Path(f"{self.settings.output}.died")
        if self.is_used and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        self.is_used = True
        return super().annotate(shard)

    is_used = False


@pytest.mark.long
def test_the_same_as_here_though_an_actor_dies(ruler, tmp_path, monkeypatch):
    """Begun here and killed; then on Ray, where an actor is killed; ended as if all were here."""
    write_corpus(tmp_path / "corpus")
    monkeypatch.chdir(tmp_path)  # inputs by paths that Ray's workers see elsewhere
    annotate(ruler, [Path("corpus")], tmp_path / "whole")
    assert command(ruler, "corpus", "out", *OPTIONS, "--part", "0/3").exit_code == 0
    before = files_in(tmp_path / "out")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))  # where Dying is
    monkeypatch.setattr("spacy_hgn.annotate.with_ray.Annotator", Dying)
    done = command(ruler, "corpus", "out", *OPTIONS, "--ray", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert "3 of 7 shards were done before" in done.output
    after, whole = files_in(tmp_path / "out"), files_in(tmp_path / "whole")
    assert {name: after[name] for name in before} == before
    assert documents_in(tmp_path / "out") == ids_of(Path("corpus"))
    assert after.keys() == whole.keys()
    for name in whole.keys() - {"summary.json"}:
        assert after[name][1] == whole[name][1], name


class Dead(Annotator):
    """Dies of each shard but the first, as of a text for which there is never enough memory."""

    def annotate(self, shard):
        if shard.number > 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().annotate(shard)


@pytest.mark.long
def test_a_shard_that_kills_its_actor_each_time_ends_the_run(ruler, tmp_path, monkeypatch):
    path = write_lines(tmp_path / "a.txt", make_texts(10))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))  # where Dead is
    monkeypatch.setattr("spacy_hgn.annotate.with_ray.Annotator", Dead)
    done = command(ruler, path, tmp_path / "out", *OPTIONS, "--ray", "--workers", 1)
    assert done.exit_code == 1, done.output
    assert f"3 actors died on shard 0000001, which begins at {path}:9" in done.output
    assert documents_in(tmp_path / "out") == [f"{path}:{i}" for i in range(1, 9)]


def test_an_address_at_which_nothing_listens(ruler, tmp_path):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    path = write_lines(tmp_path / "a.txt", ["Maria"])
    done = command(ruler, path, tmp_path / "out", "--ray-address", address)
    assert done.exit_code == 1
    assert f"{address}: expected a Ray cluster, got " in done.output


def test_ray_that_does_not_start(ruler, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise Exception("The current node timed out during startup.")  # as Ray does

    monkeypatch.setattr("ray.init", fail)
    path = write_lines(tmp_path / "a.txt", ["Maria"])
    done = command(ruler, path, tmp_path / "out", "--ray")
    assert done.exit_code == 1
    assert "Ray doesn't start at local: The current node timed out" in done.output


def test_failures_on_ray(exploding, tmp_path):
    texts = make_texts(10)
    texts[4] = "boom"
    path = write_lines(tmp_path / "a.txt", texts)
    options = [*OPTIONS, "--code", CODE, "--ray", "--workers", 1]
    done = command(exploding, path, tmp_path / "out", *options)
    assert done.exit_code == 3, done.output
    assert len(documents_in(tmp_path / "out")) == 9
    assert [each["id"] for each in failures_in(tmp_path / "out")] == [f"{path}:5"]
    with_gpu = command(exploding, path, tmp_path / "gpu", *options[:-2], "--gpus", 1000)
    assert with_gpu.exit_code == 1
    assert "expected room for an actor with 1 CPUs and 1000 GPUs" in with_gpu.output
