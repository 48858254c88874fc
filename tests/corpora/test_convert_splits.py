"""The project's step ``convert``: its vars are the options of ``spacy hgn convert``."""

import sys
from pathlib import Path

import pytest
import srsly
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.main import get_command

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.cli.corpus_options import CorpusOptions

ROOT = Path(__file__).parent.parent.parent
ROWS = "# id 1\n1\tAda\tB-PER\n2\tleft\tO\n\n# id 2\n1\tBo\tB-PER\n2\tleft\t??\n"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import convert_splits

    return convert_splits


@pytest.fixture
def run(script, monkeypatch, write, tmp_path):
    def convert(*options):
        for part in ("train", "dev", "test"):
            write(ROWS, f"source/{part}.tsv")
        folders = [str(tmp_path / "source"), str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", ["convert_splits.py", *folders, *options])
        script.main()
        return tmp_path / "out"

    return convert


def test_options_reach_convert(run, nlp):
    out = run("--token_column=2", "--comments=True", "--lenient=true", "--scheme=", "--merge=2")
    [doc] = DocBin().from_disk(out / "train.spacy").get_docs(nlp.vocab)
    assert [token.text for token in doc] == ["Ada", "left", "Bo", "left"]
    assert [token.ent_iob for token in doc] == [3, 2, 0, 0]


def test_errors_name_the_option(run, capsys):
    with pytest.raises(SystemExit) as stop:
        run("--token_column=2", "--comments=true", "--lenient=")
    assert stop.value.code == 1
    output = " ".join(capsys.readouterr().out.split())
    assert "--lenient repairs such lines" in output
    assert "--vars.lenient true" in output


def test_every_option_is_a_var_of_the_project(script):
    names = set(CorpusOptions.__dataclass_fields__)
    assert {*script.VALUES, *script.FLAGS} == names
    project = srsly.read_yaml(ROOT / "project.yml")["vars"]
    assert names <= set(project)
    assert all(f"--{name}=" in project["reading"] for name in names - {"lang"})


def test_convert_stats_and_debug_data_take_the_same_options():
    hgn = get_command(app).commands["hgn"].commands
    commands = [hgn["convert"], hgn["stats"], hgn["debug"].commands["data"]]
    for command in commands:
        assert set(CorpusOptions.__dataclass_fields__) <= {p.name for p in command.params}
