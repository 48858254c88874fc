"""A report has every number that runs gave, beside the published ones."""

import random
import re
from pathlib import Path
from statistics import mean, stdev

import pytest
import spacy
import srsly
import torch
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.experiments.grid import read_grid
from spacy_hgn.experiments.records import Records
from spacy_hgn.experiments.results import Results
from spacy_hgn.experiments.scores import get_gold, score

from .conftest import make_job, write_grid, write_sample

pytestmark = pytest.mark.slow

FOLDER = Path("results") / "grid"
PAGES = Path("pages")
RECALLS = {"base": 0.4, "mlp": 0.9, "dot": 0.4}


@pytest.fixture
def grid(project, content):
    """A grid whose runs are all done: mlp finds far more than base, dot the very same."""
    write_sample(Path("assets") / "wnut17", {"train": 2, "dev": 2, "test": 100})
    content["corpora"] = {"wnut17": "wnut17"}
    content["systems"]["dot"] = {}
    content["seeds"] = [0, 1, 2]
    content["report"] = {"title": "Does it?", "published": True, "compare": ["base", "mlp"]}
    return read_grid(write_grid(content))


@pytest.fixture
def records(grid):
    records = Records(FOLDER)
    for run in grid.runs:
        add_result(records, make_job(run, grid))
    return records


def add_result(records, job):
    """Keep what a system might have found: some of the entities, by chance."""
    run = job.run
    docs = DocBin().from_disk(job.corpus.path("test")).get_docs(spacy.blank("xx").vocab)
    gold = [get_gold(doc) for doc in docs]
    chance = random.Random(run.seed)
    recall = RECALLS[run.system]
    predicted = [[entity for entity in of_doc if chance.random() < recall] for of_doc in gold]
    record = {
        **job.describe(),
        "test": score(gold, predicted),
        "dev_f1": [10.0, 20.0 + run.seed],
        "seconds": {"training": 100, "evaluation": 20},
        "git": {"revision": "0123456789abcdef", "dirty": True},
        "machine": {"device": "cpu", "processor": "a processor", "threads": 1},
    }
    records.add(record, gold, predicted)


def add_to_records(records, of_system):
    """Give the records what systems have of a run, as those have it that are done now."""
    rows = [{**record, **of_system[record["system"]]} for record in records.read().values()]
    srsly.write_jsonl(records.runs, rows)


def report(grid, *words):
    result = CliRunner().invoke(app, ["hgn", "experiment", "report", str(grid.path), *words])
    assert result.exit_code == 0, result.output
    return (FOLDER / "report.md").read_text(encoding="utf8"), result.output


def row(text, *cells):
    """The cells of the first row that begins with some."""
    (line, *_) = re.findall(rf"^\| {' [|] '.join(map(re.escape, cells))} \|.*$", text, re.MULTILINE)
    return [cell.strip() for cell in line.strip("| ").split("|")]


def test_means_spreads_and_differences_are_those_of_the_runs(grid, records):
    text, _ = report(grid)
    f1 = {system: [] for system in RECALLS}
    for record in records.read().values():
        f1[record["system"]].append(record["test"]["f"])
    base, mlp = f1["base"], f1["mlp"]
    assert row(text, "bert", "base")[2] == f"{mean(base):.2f} ± {stdev(base):.2f}"
    assert row(text, "bert", "mlp")[2] == (
        f"{mean(mlp):.2f} ± {stdev(mlp):.2f} ({mean(mlp) - mean(base):+.2f}*)"
    )
    details = row(text, "bert", "mlp", "3")
    assert details[5] == f"**{mean(mlp):.2f} ± {stdev(mlp):.2f}**"
    assert float(details[7].rstrip("*")) < 0.05
    assert details[8:] == ["21.00 ± 1.00", "2.0"]
    assert row(text, "bert", "dot", "3")[6:8] == ["+0.00", "1.0000"]


def test_what_the_windows_say_and_what_was_clipped_is_told(grid, records):
    heard = {"share": 0.25, "f1": 50.0, "silenced": 37.5}
    unheard = {"share": 0.004, "f1": 50.0, "silenced": 50.25}
    add_to_records(
        records,
        {
            "base": {"contribution": None, "clipping": None},
            "mlp": {"contribution": heard, "clipping": {"steps": 9, "median": 1, "share": 0.5}},
            "dot": {"contribution": unheard, "clipping": {"steps": 9, "median": 2, "share": 1.0}},
        },
    )
    text, _ = report(grid)
    header = row(text, "Hero", "system", "seeds")
    assert header[8:] == ["F1 on dev", "share of windows", "silenced", "clipped", "minutes"]
    assert row(text, "bert", "base", "3")[9:] == ["", "", "", "2.0"]
    assert row(text, "bert", "mlp", "3")[9:] == ["25.0%", "+12.50", "50.0%", "2.0"]
    assert row(text, "bert", "dot", "3")[9:] == ["0.4%", "-0.25", "100.0%", "2.0"]
    (warning,) = re.findall(r"\*\*Warning, .*", text)
    assert warning.startswith("**Warning, bert dot:** The windows contribute almost nothing: 0.40%")
    assert "Train with the fusion dot or add" in warning


def test_means_are_over_the_seeds_that_have_it(grid, records):
    rows = list(records.read().values())
    rows[1]["contribution"] = {"share": 0.5, "f1": 3.0, "silenced": 1.0}
    srsly.write_jsonl(records.runs, rows)
    text, _ = report(grid)
    assert rows[1]["system"] == "mlp"
    assert row(text, "bert", "mlp", "3")[9:] == ["50.0%", "+2.00", "2.0"]
    assert row(text, "bert", "base", "3")[9:] == ["", "", "2.0"]


def test_published_values_stand_beside(grid, records):
    text, _ = report(grid)
    assert row(text, "*BERT-large-cased, published*", "mlp")[2] == "54.65 (+5.13)"
    assert row(text, "*XLNet-large-cased, published*", "dot")[2] == "57.41 (+3.90)"
    assert "BioBERT" not in text


def test_types_and_origin_are_told(grid, records):
    text, _ = report(grid)
    assert re.search(r"\| system \| DATE \(\d+\) \|", text)
    assert "a processor, 1 threads (9 runs)" in text
    assert f"torch {torch.__version__}" in text
    assert "revision 0123456789ab and changes (9 runs)" in text
    assert "# Does it?" in text
    assert "9 of 9 runs are done." in text


def test_missing_runs_are_told(grid, records):
    lines = records.runs.read_text().splitlines(keepends=True)
    records.runs.write_text("".join(lines[:-3]))
    text, _ = report(grid)
    assert "6 of 9 runs are done. **3 are missing.**" in text


def test_only_common_seeds_are_compared(grid, records):
    lines = records.runs.read_text().splitlines(keepends=True)
    records.runs.write_text("".join(line for line in lines if '"base", "seed": 2' not in line))
    differences = Results(grid, records).differences
    assert len(differences["clean", "wnut17", "bert", "mlp"].by_seed) == 2


def test_figures_are_drawn_the_same_each_time(grid, records):
    text, _ = report(grid)
    path = "figures/clean-wnut17-bert.png"
    assert f"({path})" in text
    before = (FOLDER / path).read_bytes()
    assert before.startswith(b"\x89PNG")
    report(grid)
    assert (FOLDER / path).read_bytes() == before


def test_sentences_that_differ_are_side_by_side_on_one_page(grid, records):
    report(grid)
    assert not PAGES.exists()
    report(grid, "--side-by-side", str(PAGES))
    page = (PAGES / "clean-wnut17-bert.html").read_text(encoding="utf8")
    assert page.startswith("<!DOCTYPE html>")
    assert not re.findall(r"(?:src|href)=|url\(|@import", page)
    of_seed = {r["system"]: r for r in records.read().values() if r["seed"] == 0}
    base, mlp = (records.read_predictions(of_seed[system]) for system in ("base", "mlp"))
    n_differing = sum(set(b) != set(m) for b, m in zip(base, mlp))
    assert f"differ in {n_differing} of 100 sentences" in page
    assert "mlp makes fewer errors" in page
    assert page.count("<small>") % 3 == 0


def test_without_the_corpus_no_sentences_are_drawn(grid, records):
    Path("assets").rename("gone")
    text, output = report(grid, "--side-by-side", str(PAGES))
    assert "No pages of sentences for" in output
    assert not PAGES.exists()
    assert row(text, "bert", "mlp")


def test_report_without_results_says_what_to_do(grid):
    result = CliRunner().invoke(app, ["hgn", "experiment", "report", str(grid.path)])
    assert result.exit_code == 2
    assert "experiment run grid.yml" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"training": 0}, "training: 0 → 1"),
        ({"software": {"torch": "1.2.3", "python": "3.1"}}, "torch: 1.2.3 → "),
    ],
)
def test_stale_results_are_told(grid, records, change, said):
    assert "stale" not in "".join(report(grid))
    add_to_records(records, {"base": {}, "mlp": change, "dot": {}})
    for text in report(grid):
        assert "3 results are stale" in text
        assert said in text
        assert "python:" not in text
