"""What one grid has trained, another doesn't train again."""

from pathlib import Path

import pytest
import srsly
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.experiments.grid import read_grid
from spacy_hgn.experiments.store import Store
from spacy_hgn.experiments.twins import Twins

from .conftest import make_job, write_grid

FIRST, SECOND = Path("results") / "first", Path("results") / "second"
GOLD, PREDICTED = [[(0, 2, "PER")], []], [[], [(1, 2, "LOC")]]


def invoke(grid, *words):
    result = CliRunner().invoke(app, ["hgn", "experiment", "run", grid, "--threads", "1", *words])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def job_of(content, name):
    grid = read_grid(write_grid(content, name))
    return make_job(grid.runs[0], grid)


@pytest.fixture
def content(content):
    return {**content, "systems": {"mlp": content["systems"]["mlp"]}, "seeds": [0]}


@pytest.fixture
def done(project, content):
    """A job that the grid "first" has done."""
    job = job_of(content, "first.yml")
    record = {
        **job.run.describe(),
        "config": job.settings,
        "corpus_digest": job.corpus_digest,
        "test": {"f": 1.0},
    }
    Store(FIRST, FIRST).add(record, PREDICTED, GOLD)
    return job


def find(content):
    return Twins(FIRST.parent, "second").grid_of(job_of(content, "second.yml"))


def test_run_is_taken_under_its_new_name(project, content):
    content["epochs"] = 1
    write_grid(content, "first.yml")
    invoke("first.yml")
    write_grid({**content, "systems": {"LSTM": content["systems"]["mlp"]}}, "second.yml")
    assert "done in first" in invoke("second.yml", "--dry-run")
    assert not SECOND.exists()

    output = invoke("second.yml")
    assert "tiny-bert-LSTM-clean-0" in output
    assert "taken from first" in output
    assert "epoch" not in output
    (before,), (after,) = (list(srsly.read_jsonl(f / "runs.jsonl")) for f in (FIRST, SECOND))
    (run,) = read_grid(Path("second.yml")).runs
    assert after["id"] == run.id != before["id"]
    assert (after["system"], after["taken_from"]) == ("LSTM", "first")
    assert {key for key in before if before[key] != after[key]} == {"id", "system"}
    first, second = Store(FIRST, FIRST), Store(SECOND, SECOND)
    assert second.read_predictions(after) == first.read_predictions(before)
    assert second.read_gold(after) == first.read_gold(before)
    assert "taken" not in invoke("second.yml")


def test_same_run_is_found(done, content):
    assert find(content) == "first"


def test_a_grid_is_not_its_own_twin(done):
    assert Twins(FIRST.parent, "first").grid_of(done) is None


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": [1]},
        {"epochs": 3},
        {"protocols": ["search"]},
        {"protocols": ["paper"]},
        {"systems": {"mlp": {"components.hgn_ner.model.windows": [3, 5]}}},
    ],
)
def test_other_run_is_not_taken(done, content, change):
    assert find({**content, **change}) is None


def test_other_corpus_is_not_taken(done, content):
    with Path("assets/tiny/test.tsv").open("a") as file:
        file.write("\nAlso\tO\n")
    assert find(content) is None


def test_run_without_its_predictions_is_not_taken(done, content):
    (predictions,) = (FIRST / "predictions").iterdir()
    predictions.unlink()
    assert find(content) is None


def test_run_that_was_taken_twice_names_the_grid_that_trained(done, content):
    Twins(FIRST.parent, "second").take_over([done], Store(SECOND, SECOND))
    assert Twins(FIRST.parent, "third").take_over([done], Store(Path("third"), Path("third"))) == {
        done.run.id: "first"
    }


def test_run_of_another_process_is_left_to_it(done, content):
    job = job_of(content, "second.yml")
    store = Store(SECOND, Path("work"))
    claim = store.claim(job.run.id)
    twins = Twins(FIRST.parent, "second")
    assert twins.take_over([job], store) == {}
    claim.release()
    assert twins.take_over([job], store) == {job.run.id: "first"}
    assert twins.take_over([job], store) == {}
    assert (SECOND / "runs.jsonl").read_text().count("\n") == 1
