"""The results in the repository are those of the grid files beside them."""

from pathlib import Path

import pytest

from spacy_hgn.experiments.grid import read_grid
from spacy_hgn.experiments.records import Records
from spacy_hgn.experiments.results import Results
from spacy_hgn.experiments.scores import score

ROOT = Path(__file__).parent.parent.parent
FOLDERS = sorted(path.parent for path in (ROOT / "results").glob("*/runs.jsonl"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_report_counts_the_runs_of_its_grid(folder, monkeypatch):
    monkeypatch.chdir(ROOT)
    results = Results(read_grid(Path("experiments") / f"{folder.name}.yml"), Records(folder))
    counts = f"{len(results.done)} of {len(results.grid.runs)} runs are done."
    assert counts in (folder / "report.md").read_text(encoding="utf8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scores_are_those_of_the_predictions_that_are_kept(folder):
    records = Records(folder)
    for record in records.read().values():
        kept = record["test"] or record["dev"]
        found = score(records.read_gold(record), records.read_predictions(record))
        pairs = zip(found.pop("types").values(), kept.pop("types").values(), strict=True)
        for now, before in [(found, kept), *pairs]:
            assert now == pytest.approx(before, abs=0.0011)  # another rounding
