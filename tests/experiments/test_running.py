"""A grid is run as a user runs it: killed, resumed, with runs that fail, and by several at once."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
import srsly
from rich.console import Console
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.experiments.board import Board
from spacy_hgn.experiments.grid import read_grid
from spacy_hgn.experiments.plan import make_plan
from spacy_hgn.experiments.runner import run_jobs
from spacy_hgn.experiments.scores import score
from spacy_hgn.experiments.store import Store

from .conftest import write_grid

RUN = ["hgn", "experiment", "run", "grid.yml", "--threads", "1"]
GRID = Path("grid.yml")
RUNS = Path("results") / "grid" / "runs.jsonl"
WORK = Path("training") / "experiments" / "grid"
PATIENCE = 120
"""Seconds until a test gives up on a process that should have done something."""


def start(*words: str) -> subprocess.Popen:
    """The command in a process group of its own."""
    command = [sys.executable, "-m", "spacy", *RUN, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, text=True, start_new_session=True, **pipes)


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=PATIENCE)
    return " ".join(output.split())


def invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*RUN, *words])
    return result.exit_code, " ".join(result.output.split())


def wait_until(holds: Callable[[], bool]) -> None:
    begin = monotonic()
    while not holds():
        assert monotonic() - begin < PATIENCE
        sleep(0.05)


def is_running(group: int) -> bool:
    return subprocess.run(["kill", "-0", "--", f"-{group}"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills process groups")
def test_killed_grid_goes_on_where_it_was(project, content):
    content["protocols"] = ["search"]
    write_grid(content)
    killed = start()
    wait_until(lambda: RUNS.exists() and any(WORK.glob("*/log.txt")))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    wait_until(lambda: not is_running(killed.pid))
    before = RUNS.read_text()
    assert 0 < before.count("\n") < 4

    resumed = start("--jobs", "2")
    output = finish(resumed)
    assert resumed.returncode == 0, output
    assert "4 of 4 runs done" in output
    assert RUNS.read_text().startswith(before)
    records = list(srsly.read_jsonl(RUNS))
    assert len(records) == 4
    assert {record["id"] for record in records} == {run.id for run in read_grid(GRID).runs}
    assert not list(WORK.glob("*/"))
    for record in records:
        store = Store(RUNS.parent, WORK)
        again = score(store.read_gold(record), store.read_predictions(record))
        assert again == record["dev"]
        assert record["test"] is None
        assert len(record["dev_f1"]) == record["epochs"] == 2
        assert record["steps"] == 10
        assert record["config"]["training.max_steps"] == 10
        assert {"torch", "spacy", "spacy-hgn"} <= set(record["software"])
        assert record["machine"]["device"] == "cpu"

    code, output = invoke()
    assert code == 0
    assert "epoch" not in output
    assert RUNS.read_text().count("\n") == 4


def test_failed_run_is_told_and_the_others_go_on(project, content):
    content["systems"]["bad"] = {"components.hgn_ner.model.widnows": [1, 3]}
    content["seeds"] = [0]
    write_grid(content)
    code, output = invoke("--only", "system=bad", "--only", "system=mlp", "--jobs", "2")
    assert code == 1
    assert "bad-clean-0" in output
    assert "widnows" in output
    (record,) = srsly.read_jsonl(RUNS)
    assert record["system"] == "mlp"
    (failure,) = srsly.read_jsonl(RUNS.with_name("failures.jsonl"))
    assert "widnows" in failure["error"]
    assert "Traceback" in (RUNS.parent / "logs" / failure["log"]).read_text()
    assert not list(WORK.glob("*/"))


def test_dry_run_lists_and_trains_nothing(project, content):
    write_grid(content)
    code, output = invoke("--dry-run")
    assert code == 0
    assert "4 of 4 runs to do" in output
    assert "tiny-bert-mlp-clean-1" in output
    assert not RUNS.exists()


def test_bad_grid_is_told_without_a_traceback(project, content):
    write_grid({**content, "epochs": "many"})
    code, output = invoke("--dry-run")
    assert code == 2
    assert "epochs: expected a valid integer, got 'many'" in output


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("hero/mpnet", "Fetch it: python scripts/fetch_hero.py mpnet"),
        ("./mpnet", "Put it there, name a model on the Hugging Face hub"),
        ("/nowhere/mpnet", "Put it there"),
        ("models/of/ours", "Put it there"),
    ],
)
def test_hero_that_is_not_there_is_told_before_anything_is_done(project, content, name, advice):
    write_grid({**content, "heroes": {"bert": "hero", "large": name}})
    code, output = invoke()
    assert code == 2
    assert f"Hero large: expected a folder {name} with config.json, got none. {advice}" in output
    assert not Path("corpus").exists()
    assert not Path("training").exists()
    assert not RUNS.exists()
    code, output = invoke("--dry-run", "--only", "hero=bert")
    assert code == 0, output


@pytest.mark.parametrize("name", ["bert-base-cased", "dmis-lab/biobert-large-cased-v1.1"])
def test_name_of_a_model_on_the_hub_is_left_to_the_hub(project, content, name):
    write_grid({**content, "heroes": {"hub": name}})
    code, output = invoke("--dry-run")
    assert code == 0, output
    assert "tiny-hub-mlp-clean-1" in output


def test_parts_that_do_not_fit_together_are_warned_of(project, content):
    Path("assets/tiny/test.tsv").write_text("One\tB-STRANGE\n")
    write_grid(content)
    code, output = invoke("--dry-run")
    assert code == 0
    assert "tiny: train lacks types that test has: STRANGE" in output


@pytest.fixture
def store():
    return Store(RUNS.parent, WORK)


def make_record(job, store, config):
    run = {"id": job.run.id, "corpus": "tiny", "corpus_digest": job.corpus_digest, "test": {}}
    store.add({**run, "config": config}, [], [])


def plan(content, store):
    grid = read_grid(write_grid(content))
    return make_plan(grid, grid.runs, store.read(), Path("corpus"), threads=1, gpu_id=-1)


def test_runs_of_another_invocation_are_left_to_it(project, content, store):
    jobs = plan(content, store).jobs
    claims = [store.claim(job.run.id) for job in jobs[:2]]
    recorded = store.read()
    for job in jobs[2:]:
        make_record(job, store, {})
    with Board(Console(), 4, 0, 0) as board:
        outcome = run_jobs(jobs, store, board, recorded, side_by_side=2)
    assert outcome.elsewhere == [job.run.id for job in jobs[:2]]
    assert outcome.done == [job.run.id for job in jobs[2:]]
    assert all(claims)


def test_changed_config_file_is_told_and_redone_if_wanted(project, content, store):
    config = Path("configs/hgn.cfg")
    for job in plan(content, store).jobs:
        make_record(job, store, job.settings)
    assert plan(content, store).to_do(redo=True) == []
    config.write_text(config.read_text().replace("dropout = 0.1", "dropout = 0.3"))
    changed = plan(content, store)
    assert changed.to_do(redo=False) == []
    assert len(changed.to_do(redo=True)) == 4
    assert "training.dropout: 0.1 → 0.3" in next(iter(changed.changed.values()))
    code, output = invoke()
    assert code == 0
    assert "4 runs were done with other settings" in output
    assert "training.dropout: 0.1 → 0.3" in output
