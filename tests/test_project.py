"""The project as a user runs it: from files to an installed package and a page."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = ["project.yml", "configs", "scripts", "assets"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, minilm: Path) -> Path:
    """A copy of the project, with a few of the sample corpus's sentences and the Hero."""
    folder = tmp_path_factory.mktemp("project")
    for name in FILES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("wnut*"))
        else:
            shutil.copy(source, folder / name)
    for part in ("train", "dev", "test"):
        path = folder / "assets" / "sample" / f"{part}.tsv"
        sentences = path.read_text(encoding="utf8").split("\n\n")
        path.write_text("\n\n".join(sentences[:60]) + "\n", encoding="utf8")
    (folder / "hero").mkdir()
    (folder / "hero" / "minilm").symlink_to(minilm)
    return folder


def run(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """Run ``python -m spacy project run ...``; what is installed goes into project/site."""
    site = str(project / "site")
    path = os.pathsep.join([site, os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PIP_TARGET": site, "PYTHONPATH": path, **environment}
    command = [sys.executable, "-m", "spacy", "project", "run", *words]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def demo(project: Path) -> subprocess.CompletedProcess:
    settings = ["--vars.demo_steps", "8", "--vars.demo_warmup", "1", "--vars.eval_frequency", "4"]
    return run(project, "demo", ".", *settings, "--vars.windows", "[1,3]", "--vars.fusion", "dot")


def test_demo_ends_with_an_installed_package_and_a_page(demo, project):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert (project / "site" / "en_hgn_demo" / "__init__.py").exists()
    page = (project / "metrics" / "hgn_demo.html").read_text(encoding="utf8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Kowalczyk" in page


def test_settings_of_the_command_line_reach_the_pipeline(demo, project):
    config = (project / "training" / "hgn_demo" / "model-best" / "config.cfg").read_text()
    assert "windows = [1, 3]" in config or "windows = [1,3]" in config
    assert 'fusion = "dot"' in config
    assert "max_steps = 8" in config


def test_scores_of_test_are_written_per_type(demo, project):
    scores = json.loads((project / "metrics" / "hgn_demo.json").read_text())
    assert set(scores) >= {"ents_p", "ents_r", "ents_f", "ents_per_type"}


def test_wheel_requires_spacy_hgn_and_holds_the_card(demo, project):
    (wheel,) = (project / "packages").rglob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = [n for n in archive.namelist() if n.endswith("METADATA")]
        head, _, card = archive.read(metadata).decode("utf8").partition("\n\n")
    requirements = [line for line in head.splitlines() if line.startswith("Requires-Dist")]
    assert any("spacy-hgn" in line and ">=" in line and "<" in line for line in requirements)
    assert "## Results on test" in card
    assert "| **all (micro)** |" in card
    assert "| train | 60 |" in card


def test_nothing_of_this_machine_is_packaged(demo, project):
    (wheel,) = (project / "packages").rglob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            assert str(project).encode() not in archive.read(name), name


def test_second_run_skips_what_is_done(demo, project):
    name = ["--vars.name", "hgn_demo", "--vars.source", "assets/sample"]
    again = run(project, "convert", ".", *name)
    assert "Skipping 'convert': nothing changed" in again.stdout


def test_ontonotes_is_built_from_conll2012_files(project, tmp_path):
    for part in ("train", "development", "test"):
        folder = tmp_path / part / "data" / "english" / "annotations" / "nw"
        folder.mkdir(parents=True)
        (folder / "sample_0001.v4_gold_conll").write_text(CONLL_2012, encoding="utf8")
    settings = ["--vars.ontonotes_steps", "2", "--vars.ontonotes_warmup", "1"]
    done = run(project, "ontonotes", ".", "--vars.source", str(tmp_path), *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "site" / "en_hgn_ontonotes" / "__init__.py").exists()


def test_folder_without_parts_is_refused(project, tmp_path):
    (tmp_path / "train.tsv").write_text("Apple\tB-ORG\n")
    done = run(project, "custom", ".", "--vars.source", str(tmp_path))
    assert done.returncode != 0
    assert "expected one file or folder with dev or valid" in done.stdout + done.stderr


def test_missing_asset_names_variable_and_file(project, tmp_path):
    done = run(project, "wnut17", ".", HGN_ASSETS=str(tmp_path))
    assert done.returncode != 0
    assert "HGN_ASSETS" in done.stderr
    assert "wnut17train.conll" in done.stderr


def test_asset_with_another_checksum_is_refused(project, tmp_path):
    (tmp_path / "wnut17").mkdir()
    (tmp_path / "wnut17" / "wnut17train.conll").write_text("Apple\tB-corporation\n")
    done = run(project, "wnut17", ".", HGN_ASSETS=str(tmp_path))
    shutil.rmtree(project / "assets" / "wnut17")
    assert done.returncode != 0
    assert "c213127d9438fb2c64fe0fabe8644489" in done.stderr


CONLL_2012 = """#begin document (nw/sample_0001); part 000
nw/sample_0001   0   0   Maria   NNP   (TOP(S(NP*   -   -   -   -   (PERSON*   *   (1
nw/sample_0001   0   1   Silva   NNP   *)   -   -   -   -   *)   *   1)
nw/sample_0001   0   2   left   VBD   (VP*   leave   01   1   -   *   (V*)   -
nw/sample_0001   0   3   Lisbon   NNP   (NP*)   -   -   -   -   (GPE)   *   -
nw/sample_0001   0   4   .   .   *)))   -   -   -   -   *   *   -

#end document
"""
