"""What can't be done, or would mix two runs, is refused before anything is written."""

import gzip
import os
import shutil
import sys

import pytest
import spacy
import torch

from .helpers import (
    command,
    files_in,
    make_texts,
    write_jsonl,
    write_lines,
    write_parquet,
)


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
        (["--to", "docbin"], "arguments.to: begun with parquet, now docbin"),
        (["--document", "file"], "arguments.unit: begun with line, now file"),
        (["--text", "body"], "arguments.text: begun with text, now body"),
        (["--keep-entities"], "arguments.keep_entities: begun with False, now True"),
        (["--format", "jsonl"], "format: begun with text, now jsonl"),
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
    assert f"inputs.{more}.size: begun with nothing, now 6" in fails(ruler, path, more, output)
    assert f"inputs.{path}.format: begun with text, now nothing" in fails(ruler, more, output)
    before = path.stat()
    path.write_text(path.read_text().replace("Maria", "Marie"))
    assert f"inputs.{path}.modified: begun with" in fails(ruler, path, output)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
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
    assert "outside the inputs" in fails(ruler, tmp_path, tmp_path / "out")
    assert (
        "expected a file, a folder with .txt, .jsonl, .ndjson, .parquet, .spacy files or a glob"
        in fails(ruler, tmp_path / "*.jsonl", tmp_path / "out")
    )
    assert "expected a package or a folder with a pipeline" in fails(
        tmp_path / "none", path, tmp_path / "out"
    )
    assert not (tmp_path / "out").exists()


def test_a_suffix_that_does_not_tell_the_format(ruler, tmp_path):
    path = write_lines(tmp_path / "a.json", ['{"text": "Maria"}'])
    message = fails(ruler, path, tmp_path / "out")
    assert "expected .txt, .jsonl, .ndjson, .parquet, .spacy; for other files" in message
    done = command(ruler, path, tmp_path / "out", "--format", "jsonl")
    assert done.exit_code == 0, done.output


def test_a_file_that_changes_while_it_is_read(path, ruler, tmp_path, monkeypatch):
    from spacy_hgn.annotate import run

    load = run.load_annotator

    def load_slowly(settings):
        path.write_text("Maria")
        return load(settings)

    monkeypatch.setattr(run, "load_annotator", load_slowly)
    assert f"{path} has changed since the run began" in fails(ruler, path, tmp_path / "out")


@pytest.mark.parametrize(
    ("package", "options"), [("pyarrow", []), ("ray", ["--ray", "--to", "docbin"])]
)
def test_packages_that_lack(package, options, path, ruler, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setattr("spacy_hgn.annotate.with_ray.find_spec", lambda name: None)
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


RECORDS = [{"text": "Maria", "id": "a", "meta": 1}, {"text": "Ada", "id": "b"}]


@pytest.mark.parametrize("write", [write_jsonl, write_parquet])
@pytest.mark.parametrize("option", ["--text", "--id", "--meta"])
def test_a_field_that_no_record_has(option, write, ruler, tmp_path):
    path = write(tmp_path / ("a.jsonl" if write is write_jsonl else "a.parquet"), RECORDS)
    message = fails(ruler, path, tmp_path / "out", option, "txet")
    assert f'{option} txet: expected a field "txet"' in message
    assert "got text, id, meta" in message
    assert "to resume" not in message
    assert not (tmp_path / "out").exists()


def test_a_field_that_some_records_have(ruler, tmp_path):
    write_jsonl(tmp_path / "a.jsonl", [{"body": "Maria"}, ["Ada"], {"text": "Ada"}])
    done = command(ruler, tmp_path / "a.jsonl", tmp_path / "out")
    assert done.exit_code == 3
    assert "2 could not be annotated" in done.output
    assert f'{tmp_path}/a.jsonl:1: expected "text" to be a string, got None' in done.output


def test_pipelines_that_are_of_no_use(path, ruler, hgn, tmp_path):
    spacy.blank("xx").to_disk(tmp_path / "blank")
    message = fails(tmp_path / "blank", path, tmp_path / "out")
    assert "expected a component for entities, such as hgn_ner, got the components: none" in message
    sentences = spacy.blank("xx")
    sentences.add_pipe("sentencizer")
    sentences.add_pipe("doc_cleaner")
    sentences.to_disk(tmp_path / "sentences")
    message = fails(tmp_path / "sentences", path, tmp_path / "out")
    assert "got the components: sentencizer, doc_cleaner" in message
    shutil.copytree(hgn, tmp_path / "damaged")
    (tmp_path / "damaged" / "hgn_ner" / "model").write_bytes(b"no weights")
    message = fails(tmp_path / "damaged", path, tmp_path / "out")
    assert "damaged: expected a pipeline that can be loaded, got ValueError" in message
    assert not (tmp_path / "out").exists()


def test_compressed_inputs(ruler, tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    for options in ([], ["--format", "jsonl"]):
        message = fails(ruler, tmp_path / "a.jsonl.gz", tmp_path / "out", *options)
        assert "expected a file that isn't compressed: unpack it first" in message


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ('{"name": "An app", "icons": []}', "manifest.json: expected this command's manifest"),
        ("[]", "manifest.json: expected this command's manifest"),
        ("{", "manifest.json: expected this command's manifest"),
        ('{"version": 1, "inputs": []}', "begun by another release of spacy-hgn (format 1"),
    ],
)
def test_manifests_of_others(manifest, expected, path, ruler, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text(manifest)
    before = files_in(tmp_path / "out")
    assert expected in fails(ruler, path, tmp_path / "out")
    assert files_in(tmp_path / "out") == before


def test_an_output_below_a_file(path, ruler):
    assert "Not a directory" in fails(ruler, path, path / "out")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(path, ruler, tmp_path):
    assert "Can't use GPU 0" in fails(ruler, path, tmp_path / "out", "--gpu-id", 0)
    done = command(ruler, path, tmp_path / "out", "--gpu-id", 0, "--ray")
    assert done.exit_code == 2
    assert "--gpus" in done.output
    assert not (tmp_path / "out").exists()


def test_a_run_that_has_nothing_to_do_says_so(path, ruler, tmp_path):
    assert "Nothing was left to do" not in command(ruler, path, tmp_path / "out").output
    before = files_in(tmp_path / "out")
    done = command(ruler, path, tmp_path / "out")
    assert "Nothing was left to do: all 1 shards were done before" in done.output
    assert "words/s" not in done.output
    assert files_in(tmp_path / "out") == before
