"""Under torchrun, spaCy's ``train`` takes the rank's own GPU, and an output folder on the first."""

from pathlib import Path
from typing import Annotated

import pytest
import torch
from checkpoints.helpers import HGN
from typer import Option, Typer
from typer.testing import CliRunner

from spacy_hgn.backend.gpu import GpuError
from spacy_hgn.cli import spacys_commands


@pytest.fixture
def app(monkeypatch) -> Typer:
    """spaCy's command, that only says which GPU it would take, on a machine of four."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(spacys_commands, "check_gpu", lambda gpu_id: None)
    app = Typer()

    @app.command("train", context_settings={"ignore_unknown_options": True})
    def train_cli(
        config: str,
        output_path: Annotated[Path | None, Option("--output", "-o")] = None,
        use_gpu: int = Option(-1, "--gpu-id", "-g"),
    ) -> None:
        print(
            f"{config} on {use_gpu}, to {output_path}" if output_path else f"{config} on {use_gpu}"
        )

    @app.command("apply")
    def apply_cli(use_gpu: int = Option(-1, "--gpu-id", "-g")) -> None:
        print(use_gpu)

    return app


def run(app: Typer, *words: str) -> str:
    done = CliRunner().invoke(app, [*words])
    if done.exception is not None:
        raise done.exception
    return done.output.strip()


def rank(monkeypatch, local: int, size: int = 4) -> None:
    for name, value in {"WORLD_SIZE": size, "RANK": local, "LOCAL_RANK": local}.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize("given", [["--gpu-id", "0"], ["--gpu-id=0"], ["-g", "2"]])
@pytest.mark.parametrize("local", [0, 3])
def test_each_rank_takes_its_own(local, given, app, monkeypatch):
    rank(monkeypatch, local)
    spacys_commands.train_in_ranks(app)
    assert run(app, "train", "a.cfg", *given) == f"a.cfg on {local}"


def test_on_cpus_nothing_changes(app, monkeypatch):
    rank(monkeypatch, 3)
    spacys_commands.train_in_ranks(app)
    assert run(app, "train", "a.cfg") == "a.cfg on -1"
    assert run(app, "apply", "-g", "1") == "1"


def test_a_rank_that_sees_its_own_gpu_alone_takes_that(app, monkeypatch):
    """So it is with --virtual-local-rank."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    rank(monkeypatch, 0)
    spacys_commands.train_in_ranks(app)
    assert run(app, "train", "a.cfg", "-g", "0") == "a.cfg on 0"


def test_the_first_rank_alone_writes(app, monkeypatch):
    rank(monkeypatch, 0)
    spacys_commands.train_in_ranks(app)
    assert run(app, "train", "a.cfg", "--output", "out") == "a.cfg on -1, to out"
    rank(monkeypatch, 1)
    assert run(app, "train", "a.cfg", "-o", "out") == "a.cfg on -1"


@pytest.mark.parametrize("size", [None, 1])
def test_a_single_process_takes_the_one_that_it_is_told(size, app, monkeypatch):
    if size is not None:
        rank(monkeypatch, 0, size)
    before = [command.callback for command in app.registered_commands]
    spacys_commands.train_in_ranks(app)
    assert [command.callback for command in app.registered_commands] == before
    assert run(app, "train", "a.cfg", "-g", "2") == "a.cfg on 2"


def test_fewer_gpus_than_ranks(app, monkeypatch):
    rank(monkeypatch, 4, 8)
    spacys_commands.train_in_ranks(app)
    with pytest.raises(ValueError, match=r"Rank 4 expects GPU 4 .* but finds 4.*nproc-per-node 4"):
        run(app, "train", "a.cfg", "-g", "0")


def test_what_is_missing_for_a_gpu_is_told(app, monkeypatch):
    def refuse(gpu_id):
        raise GpuError("CuPy isn't installed")

    monkeypatch.setattr(spacys_commands, "check_gpu", refuse)
    rank(monkeypatch, 1)
    spacys_commands.train_in_ranks(app)
    with pytest.raises(GpuError, match="CuPy"):
        run(app, "train", "a.cfg", "-g", "0")


def test_spacy_s_own_command_is_there_to_be_changed(monkeypatch):
    """By its name and its parameter; it is changed in a copy of the command line."""
    from spacy.cli._util import app as spacys

    rank(monkeypatch, 2)
    (command,) = [each for each in spacys.registered_commands if each.name == "train"]
    monkeypatch.setattr(command, "callback", command.callback)
    spacys_commands.train_in_ranks(spacys)
    monkeypatch.setattr(spacys_commands, "check_gpu", lambda gpu_id: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    taken = []
    monkeypatch.setattr("spacy.cli.train.train", lambda *_, use_gpu, **__: taken.append(use_gpu))
    done = CliRunner().invoke(spacys, ["train", str(HGN), "--gpu-id", "0"])
    assert done.exit_code == 0, done.output
    assert taken == [2]
