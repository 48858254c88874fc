"""``spacy hgn debug data`` over corpora that aren't converted yet."""

import pytest
from component.helpers import make_nlp
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)

TRAIN = "1\tAda\tB-PER\n2\tleft\tO\n\n1\tBo\tB-PER\n2\tcame\t??\n"
DEV = TRAIN.replace("left", "ran")


@pytest.fixture
def debug(write, tmp_path):
    def run(*options, train=TRAIN, dev=DEV):
        make_nlp().config.to_disk(tmp_path / "hgn.cfg")
        paths = {"train": write(train, "train.tsv"), "dev": write(dev, "dev.tsv")}
        given = [word for part, path in paths.items() for word in (f"--paths.{part}", str(path))]
        command = ["hgn", "debug", "data", str(tmp_path / "hgn.cfg"), *given, *options]
        result = CliRunner().invoke(app, command)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, " ".join(result.output.split())

    return run


def test_it_reads_as_convert_does(debug):
    code, output = debug("--token-column", "2", "--lenient")
    assert code == 0, output
    assert "token in column 2, tag in column 3, IOB2" in output
    assert "Repairs: 2" in output
    assert "PER 1 1" in output  # Bo may go on in the tag that is unknown


def test_errors_name_the_option(debug, tmp_path):
    code, output = debug("--token-column", "2")
    assert code == 1
    assert f"{tmp_path / 'train.tsv'}:5: unknown tag '??'" in output
    assert "--lenient repairs such lines" in output
    assert "--token-column 2" in debug("--lenient")[1]


def test_options_for_converted_corpora_are_refused(debug, tmp_path):
    docbin = tmp_path / "x.spacy"
    arguments = ["hgn", "convert", str(tmp_path / "train.tsv"), str(docbin), "--token-column", "2"]
    debug()
    assert CliRunner().invoke(app, [*arguments, "--lenient"]).exit_code == 0
    code, output = debug("--test", str(docbin), "--token-column", "2", "--lenient")
    assert code == 1
    assert "spacy doesn't support the setting token_column: expected None, got 2" in output


def test_a_folder_without_files_is_refused(debug, tmp_path):
    (tmp_path / "empty").mkdir()
    code, output = debug("--token-column", "2", "--lenient", "--test", str(tmp_path / "empty"))
    assert code == 1
    assert "empty: expected files that match *, got none" in output
