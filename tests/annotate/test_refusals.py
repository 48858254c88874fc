"""What can't be done, or would mix two runs, is refused before anything is written."""

import os

import pytest
import spacy

from .helpers import command, files_in, make_texts, write_lines


@pytest.fixture
def path(tmp_path):
    return write_lines(tmp_path / "a.txt", make_texts(10))


def fails(*arguments) -> str:
    """The message of a command that is refused."""
    done = command(*arguments)
    assert done.exit_code == 1, done.output
    return done.output


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--shard-size", 5], "arguments.shard_size: begun with 4, now 5"),
        (["--to", "docbin"], "arguments.to: begun with 'parquet', now 'docbin'"),
        (["--document", "file"], "arguments.unit: begun with 'line', now 'file'"),
        (["--text", "body"], "arguments.text: begun with 'text', now 'body'"),
        (["--format", "jsonl"], "(jsonl) is new"),
    ],
)
def test_other_arguments(options, expected, path, ruler, tmp_path):
    output = tmp_path / "out"
    assert command(ruler, path, output, "--shard-size", 4).exit_code == 0
    before = files_in(output)
    options = ["--shard-size", 4, *options]
    message = fails(ruler, path, output, *options)
    assert expected in message
    assert "was begun by another command" in message
    assert files_in(output) == before


def test_other_inputs(path, ruler, tmp_path):
    output = tmp_path / "out"
    command(ruler, path, output)
    more = write_lines(tmp_path / "b.txt", ["Maria"])
    assert f"{more} (text) is new" in fails(ruler, path, more, output)
    assert f"{path} (text) isn't given any more" in fails(ruler, more, output)
    text = path.read_text()
    path.write_text(text.replace("Maria", "Marie"))
    assert f"{path} has changed since the run began" in fails(ruler, path, output)
    path.write_text(text)  # the same again, at another time
    os.utime(path, (1, 1))
    assert command(ruler, path, output).exit_code == 0


def test_another_pipeline(path, ruler, tmp_path):
    output = tmp_path / "out"
    command(ruler, path, output)
    other = spacy.load(ruler)
    other.get_pipe("entity_ruler").add_patterns([{"label": "ORG", "pattern": "Apple"}])
    other.to_disk(tmp_path / "other")
    assert "pipeline.sha256: begun with" in fails(tmp_path / "other", path, output)
    spacy.load(ruler).to_disk(tmp_path / "other")
    assert command(tmp_path / "other", path, output).exit_code == 0  # the same, elsewhere


def test_what_may_differ(path, ruler, tmp_path):
    assert command(ruler, path, tmp_path / "out", "--batch-size", 2).exit_code == 0
    assert command(ruler, path, tmp_path / "out", "--batch-size", 3).exit_code == 0


def test_folders_of_others(path, ruler, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")
    assert "expected a new or empty folder" in fails(ruler, path, tmp_path / "photos")
    assert "outside of the inputs" in fails(ruler, tmp_path, tmp_path / "out")
    assert "expected a file, a folder with files or a glob" in fails(
        ruler, tmp_path / "*.jsonl", tmp_path / "out"
    )
    assert "expected a package or a folder with a pipeline" in fails(
        tmp_path / "none", path, tmp_path / "out"
    )
    assert not (tmp_path / "out").exists()


def test_a_suffix_that_does_not_tell_the_format(ruler, tmp_path):
    path = write_lines(tmp_path / "a.json", ['{"text": "Maria"}'])
    message = fails(ruler, path, tmp_path / "out")
    assert "expected .txt, .jsonl, .ndjson, .parquet, .spacy; or say what it is" in message
    done = command(ruler, path, tmp_path / "out", "--format", "jsonl")
    assert done.exit_code == 0, done.output


def test_a_file_that_changes_while_it_is_read(path, ruler, tmp_path, monkeypatch):
    from spacy_hgn.annotate import run

    load = run.load_pipeline

    def load_slowly(settings):
        path.write_text("Maria")
        return load(settings)

    monkeypatch.setattr(run, "load_pipeline", load_slowly)
    assert f"{path} has changed since the run began" in fails(ruler, path, tmp_path / "out")


@pytest.mark.parametrize(
    ("package", "options"), [("pyarrow", []), ("ray", ["--ray", "--to", "docbin"])]
)
def test_packages_that_lack(package, options, path, ruler, tmp_path, monkeypatch):
    for module in ("tables", "with_ray"):
        monkeypatch.setattr(f"spacy_hgn.annotate.{module}.find_spec", lambda name: None)
    message = fails(ruler, path, tmp_path / "out", *options)
    extra = {"pyarrow": "annotate", "ray": "ray"}[package]
    assert f"pip install 'spacy-hgn[{extra}]'" in message
    assert not (tmp_path / "out").exists()


def test_options_of_ray_without_it(path, ruler, tmp_path):
    done = command(ruler, path, tmp_path / "out", "--gpus", 1)
    assert done.exit_code == 2
    assert "add --ray" in done.output


@pytest.mark.parametrize("part", ["3/3", "1", "-1/2", "a/b"])
def test_parts_that_are_none(part, path, ruler, tmp_path):
    done = command(ruler, path, tmp_path / "out", f"--part={part}")
    assert done.exit_code == 2
    assert "K/N" in done.output
