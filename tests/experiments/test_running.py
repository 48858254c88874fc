"""A grid is run as a user runs it: killed, resumed, and with runs that fail."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
import srsly
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.experiments.grid import read_grid
from spacy_hgn.experiments.plan import make_plan
from spacy_hgn.experiments.records import Records
from spacy_hgn.experiments.scores import score
from spacy_hgn.util.environment import describe_software

from .conftest import write_grid

pytestmark = pytest.mark.slow

RUN = ["hgn", "experiment", "run", "grid.yml", "--threads", "1"]
GRID = Path("grid.yml")
RUNS = Path("results") / "grid" / "runs.jsonl"
WORK = Path("training") / "experiments" / "grid"
PATIENCE = 600
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


@pytest.mark.long
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
    lines = list(srsly.read_jsonl(RUNS))
    assert len(lines) == 4
    assert {record["id"] for record in lines} == {run.id for run in read_grid(GRID).runs}
    assert not list(WORK.glob("*/"))
    for record in lines:
        records = Records(RUNS.parent)
        again = score(records.read_gold(record), records.read_predictions(record))
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
    (log,) = (RUNS.parent / "logs").iterdir()
    assert "Traceback" in log.read_text()
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
def records():
    return Records(RUNS.parent)


def plan(content, records):
    grid = read_grid(write_grid(content))
    return make_plan(grid, grid.runs, records.read(), Path("corpus"), threads=1, gpu_id=-1)


def add_all(content, records, **changes):
    """What records have, without having been trained."""
    for job in plan(content, records).jobs:
        records.add({**job.describe(), "test": {}, **changes}, [], [])


def test_changed_config_file_is_told_and_redone_if_wanted(project, content, records):
    add_all(content, records)
    assert plan(content, records).to_do(redo=True) == []
    config = Path("configs/hgn.cfg")
    config.write_text(config.read_text().replace("dropout = 0.1", "dropout = 0.3"))
    changed = plan(content, records)
    assert changed.to_do(redo=False) == []
    assert len(changed.to_do(redo=True)) == 4
    code, output = invoke()
    assert code == 0
    assert "4 results are stale" in output
    assert "training.dropout: 0.1 → 0.3" in output


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": 0}, "training: 0 → 1"),
        ({"software": {"torch": "1.2.3+cpu"}}, "torch: 1.2.3 → "),
        ({"machine": {"auto_precision": "float8"}}, "auto precision: float8 → "),
        ({"corpus_digest": "0"}, "corpus: 0 → "),
    ],
)
def test_result_of_other_code_release_precision_or_corpus_is_stale(
    project, content, records, changes, said
):
    add_all(content, records, **changes)
    code, output = invoke("--dry-run")
    assert code == 0
    assert "4 results are stale" in output
    assert said in output
    assert "0 of 4 runs to do" in output
    assert len(plan(content, records).to_do(redo=True)) == 4


def test_what_decides_nothing_makes_no_result_stale(project, content, records):
    here = describe_software()
    software = {**here, "python": "3.1", "spacy-hgn": "0", "torch": here["torch"] + "+other"}
    add_all(content, records, software=software, git={"revision": "0", "dirty": True})
    assert plan(content, records).stale == {}


def test_a_new_setting_with_its_default_makes_no_result_stale(project, content, records):
    name = "components.hgn_ner.threshold"
    job = plan(content, records).jobs[0]
    old = {key: value for key, value in job.settings.items() if key != name}
    add_all(content, records, config=old)
    assert name in job.settings
    assert job.run.id not in plan(content, records).stale


def test_a_record_of_an_older_release_stands(project, content, records):
    """It has neither a number for what is trained nor a precision."""
    for job in plan(content, records).jobs:
        record = job.describe()
        del record["training"], record["machine"]["auto_precision"]
        records.add({**record, "test": {}}, [], [])
    assert plan(content, records).stale == {}


def test_logger_and_cleaner_make_no_result_stale(project, content, records):
    job = plan(content, records).jobs[0]
    others = {"training.logger.progress_bar": True, "components.doc_cleaner.silent": False}
    add_all(content, records, config={**job.settings, **others})
    assert job.run.id not in plan(content, records).stale
