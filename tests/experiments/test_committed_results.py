"""The results in the repository are those of the grid files beside them."""

from pathlib import Path

import pytest

from spacy_hgn.experiments.grid import read_grid
from spacy_hgn.experiments.results import Results
from spacy_hgn.experiments.store import Store

ROOT = Path(__file__).parent.parent.parent
FOLDERS = sorted(path.parent for path in (ROOT / "results").glob("*/runs.jsonl"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_report_counts_the_runs_of_its_grid(folder, monkeypatch):
    monkeypatch.chdir(ROOT)
    results = Results(
        read_grid(Path("experiments") / f"{folder.name}.yml"), Store(folder, folder / "work")
    )
    counts = f"{len(results.done)} of {len(results.grid.runs)} runs are done."
    assert counts in (folder / "report.md").read_text(encoding="utf8")
    assert all(results.store.is_whole(results.store.read()[run.id]) for run in results.done)
