"""Folders that are damaged, incomplete, or opened under another config."""

import random
import shutil
from pathlib import Path

import pytest
import spacy
from spacy.language import Language

from .helpers import assert_finds, make_nlp, train


@pytest.fixture
def folder(tiny_folder, tmp_path) -> Path:
    """A copy of a trained pipeline."""
    return shutil.copytree(tiny_folder, tmp_path / "copy")


@pytest.fixture(scope="module")
def loaded(tiny_folder) -> Language:
    """A pipeline that damaged files are read into."""
    return spacy.load(tiny_folder)


def places(length: int) -> list[int]:
    """First, last and 20 other places."""
    return [0, length - 1, *random.Random(0).sample(range(length), 20)]


FILES = ["hgn_ner/model", "hgn_ner/cfg", "transformer/model"]


def assert_refused(nlp: Language, path: Path) -> None:
    """Loading the folder of the file raises an error that names the file."""
    names = rf"({path}|{path.parent.name}[ /]{path.name})"
    with pytest.raises(ValueError, match=names):
        nlp.get_pipe(path.parent.name).from_disk(path.parent, exclude=["vocab"])


@pytest.mark.parametrize("file", FILES)
def test_a_changed_byte_is_refused(file, folder, loaded):
    path = folder / file
    sound = path.read_bytes()
    rng = random.Random(1)
    for place in places(len(sound)):
        changed = bytearray(sound)
        changed[place] ^= rng.randrange(1, 256)
        path.write_bytes(bytes(changed))
        assert_refused(loaded, path)


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_short_is_refused(file, folder, loaded):
    path = folder / file
    sound = path.read_bytes()
    for length in places(len(sound)):
        path.write_bytes(sound[:length])
        assert_refused(loaded, path)


@pytest.mark.parametrize("file", FILES)
def test_another_file_is_refused(file, folder, loaded):
    path = folder / file
    path.write_bytes(b'{"labels": ["PERSON"]}')
    assert_refused(loaded, path)


@pytest.mark.parametrize("file", ["hgn_ner/model", "hgn_ner/cfg", "transformer/model", "hgn_ner"])
def test_a_missing_file_is_named(file, folder):
    path = folder / file
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(FileNotFoundError, match=str(path)):
        spacy.load(folder)


def test_a_file_of_another_pipeline_is_refused(cnn_folder, tmp_path):
    other = make_nlp()
    train(other, [("Tim Cook.", [(0, 8, "PERSON")])], steps=1)
    other.to_disk(tmp_path / "other")
    mixed = shutil.copytree(cnn_folder, tmp_path / "mixed")
    shutil.copy(tmp_path / "other" / "hgn_ner" / "model", mixed / "hgn_ner" / "model")
    with pytest.raises(ValueError, match=r"nO = 3, .*GPE, ORG, PERSON.* need 7 tags"):
        spacy.load(mixed)


def test_bytes_that_were_changed_or_cut_short_are_refused(cnn_nlp):
    data = cnn_nlp.get_pipe("hgn_ner").to_bytes(exclude=["vocab"])
    other = make_nlp().get_pipe("hgn_ner")
    for place in [*places(len(data)), data.index(b"labels"), data.index(b"model")]:
        changed = bytearray(data)
        changed[place] ^= 1
        for damaged in (bytes(changed), data[:place]):
            with pytest.raises(ValueError, match="hgn_ner data"):
                other.from_bytes(damaged)


@pytest.mark.parametrize(
    ("setting", "stored", "stated"),
    [
        ("tag_scheme", "bio", "biluo"),
        ("model.windows", [1, 3], [3, 5]),
        ("model.windows", [1, 3], []),
        ("model.recurrence", "lstm", "gru"),
        ("model.fusion", "dot", "concat"),
        ("model.fusion", "dot", "mlp"),
    ],
)
def test_another_config_is_refused(setting, stored, stated, cnn_folder):
    name = setting.split(".")[-1]
    with pytest.raises(ValueError) as error:  # noqa: PT011
        spacy.load(cnn_folder, config={f"components.hgn_ner.{setting}": stated})
    assert f"trained with {name} = {stored!r}" in str(error.value)
    assert f"config says {name} = {stated!r}" in str(error.value)


def test_another_output_width_is_refused(cnn_folder):
    with pytest.raises(ValueError, match=r"nO = 9, .*need 7 tags"):
        spacy.load(cnn_folder, config={"components.hgn_ner.model.nO": 9})


def test_windows_where_there_were_none_are_refused(tmp_path):
    nlp = make_nlp({"windows": []})
    train(nlp, steps=1)
    nlp.to_disk(tmp_path)
    with pytest.raises(ValueError, match=r"windows = \[\], but .* windows = \[1, 3\]"):
        spacy.load(tmp_path, config={"components.hgn_ner.model.windows": [1, 3]})


def test_another_decoder_is_welcome(cnn_folder):
    nlp = spacy.load(cnn_folder, config={"components.hgn_ner.decoder": "argmax"})
    assert nlp.get_pipe("hgn_ner").decoder == "argmax"
    assert_finds(nlp)


@pytest.mark.parametrize("exclude", ["cfg", "model", "vocab"])
def test_parts_can_be_excluded(exclude, cnn_nlp, tmp_path):
    cnn_nlp.get_pipe("hgn_ner").to_disk(tmp_path, exclude=[exclude])
    assert not (tmp_path / exclude).exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_loaded_component_without_model_is_uninitialized(cnn_folder):
    nlp = make_nlp()
    nlp.get_pipe("hgn_ner").from_disk(cnn_folder / "hgn_ner", exclude=["model", "vocab"])
    assert nlp.get_pipe("hgn_ner").labels == ("GPE", "ORG", "PERSON")
    with pytest.raises(ValueError, match="E109"):
        nlp("Tim Cook.")


def test_a_pipeline_loads_without_the_component(cnn_folder):
    assert spacy.load(cnn_folder, exclude=["hgn_ner"]).pipe_names == []
    nlp = spacy.load(cnn_folder, disable=["hgn_ner"])
    nlp.enable_pipe("hgn_ner")
    assert_finds(nlp)
