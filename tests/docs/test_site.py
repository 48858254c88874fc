"""The site and the notebook are made of the pages, and what is made of the code is whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import ROOT, blocks_of

jupytext = pytest.importorskip("jupytext")
NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"
TUTORIAL = ROOT / "docs" / "tutorial.md"


def test_the_notebook_is_the_tutorial():
    made, kept = jupytext.read(TUTORIAL), jupytext.read(NOTEBOOK)
    assert [cell.source for cell in kept.cells] == [cell.source for cell in made.cells], (
        "make docs writes docs/tutorial.ipynb anew"
    )
    assert sum(cell.cell_type == "code" for cell in kept.cells) > len(blocks_of(TUTORIAL, "python"))


@pytest.mark.long
def test_the_notebook_runs(minilm, tmp_path, monkeypatch):
    """In a folder of its own; what it installs goes there too."""
    nbclient = pytest.importorskip("nbclient")
    for name in ("docs", "scripts", "hero"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "installed").mkdir()
    paths = [tmp_path / "installed", ROOT]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    notebook = jupytext.read(NOTEBOOK)
    for cell in notebook.cells:
        into_the_folder = "pip install --quiet --no-deps --target installed "
        cell.source = cell.source.replace("pip install ", into_the_folder)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=1800, resources=resources).execute()
    printed = "".join(
        output.text
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text" in output
    )
    assert re.search(r"Siemens +ORG +[01]\.\d\d", printed)
    money, old = map(float, re.search(r"MONEY: ([\d.]+); .*: ([\d.]+)", printed).groups())
    assert money > 50
    assert old > 50


@pytest.mark.long
def test_the_site_is_whole(tmp_path):
    """Built strictly: a link that leads nowhere ends it."""
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    settings = (tmp_path / "docs/reference/settings/index.html").read_text(encoding="utf8")
    for name in ("threshold", "hero_learn_rate", "kept_in"):
        described = re.search(rf"<code>{name}</code></td>(.*?)</tr>", settings, re.DOTALL)
        assert len(re.sub(r"<.*?>|\s", "", described[1].split("</td>")[-2])) > 10, name
    commands = (tmp_path / "docs/reference/commands/index.html").read_text(encoding="utf8")
    assert "--token-column" in commands
    python = (tmp_path / "docs/reference/python/index.html").read_text(encoding="utf8")
    assert "alternatives" in python
    for page in tmp_path.rglob("*.html"):
        fetched = r'<(?:link|script|img)[^>]+(?:src|href)="(?:https?:)?//'
        assert not re.search(fetched, page.read_text(encoding="utf8")), page
