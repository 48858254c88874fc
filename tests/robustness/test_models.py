"""A pipeline's files that were damaged or mixed up are refused, and say why."""

import shutil
from pathlib import Path

import pytest
import spacy
import srsly
import tiny_heroes
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_hgn.hero.hero_files import hero_from_bytes
from spacy_hgn.util.cfg import cfg_from_bytes, cfg_to_bytes
from spacy_hgn.util.seal import MAGIC, NAME

from .hard_bytes import damaged_bit_or_end
from .helpers import hero_message, make_pipeline
from .trying import tally, tries

OURS = ["hgn_ner/cfg", "hgn_ner/model", "transformer/model"]
"""Files under a checksum. All others are spaCy's own and have none."""

TEXT = "Tim Cook runs Apple from Cupertino."


@pytest.fixture(scope="module")
def copy(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the pipeline; tests put back what they change."""
    return shutil.copytree(folder, tmp_path_factory.mktemp("copy") / "pipeline")


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Language:
    """A pipeline that damaged files are read into."""
    return spacy.load(folder)


@pytest.fixture(scope="module")
def wide_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline over a BERT of twice the width."""
    tmp_path = tmp_path_factory.mktemp("wide")
    with pytest.MonkeyPatch.context() as wider:
        size = {**tiny_heroes._size(), "hidden_size": 2 * tiny_heroes.WIDTH}
        wider.setattr(tiny_heroes, "_size", lambda: size)
        hero = tiny_heroes.build_bert(tmp_path / "hero")
    make_pipeline(hero).to_disk(tmp_path / "pipeline")
    return tmp_path / "pipeline"


def check_refused(nlp: Language, path: Path, content: bytes) -> None:
    """A file with this content raises an error that names it."""
    sound = path.read_bytes()
    path.write_bytes(content)
    component = path.parent.name
    with pytest.raises(ValueError, match=rf"({path}|{component} {path.name})"):
        nlp.get_pipe(component).from_disk(path.parent, exclude=["vocab"])
    path.write_bytes(sound)


@pytest.mark.parametrize("file", OURS)
@tries()
@given(data=st.data())
def test_a_flipped_bit_or_a_cut_is_refused(copy, loaded, file, data):
    path = copy / file
    check_refused(loaded, path, data.draw(damaged_bit_or_end(path.read_bytes())))
    tally(f"`{file}` with a flipped bit or cut short", "refused")


@pytest.mark.parametrize("file", OURS)
@tries()
@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(copy, loaded, file, content):
    check_refused(loaded, copy / file, content)
    tally(f"`{file}` of random bytes", "refused")


@tries()
@given(data=st.data())
def test_bytes_with_a_flipped_bit_or_cut_short_are_refused(loaded, data):
    ner = loaded.get_pipe("hgn_ner")
    damaged = data.draw(damaged_bit_or_end(ner.to_bytes(exclude=["vocab"])))
    with pytest.raises(ValueError, match="hgn_ner data"):
        ner.from_bytes(damaged)
    tally("`hgn_ner.to_bytes()` with a flipped bit or cut short", "refused")


@tries(0.5)
@given(data=st.data())
def test_a_damaged_file_of_spacys_own_is_refused_or_answers_stay_whole(folder, copy, data):
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from([file for file in files if file not in OURS]))
    sound = (folder / file).read_bytes()
    (copy / file).write_bytes(data.draw(damaged_bit_or_end(sound)))
    tally(f"spaCy's own `{file}` with a flipped bit or cut short", load_and_ask(copy))
    (copy / file).write_bytes(sound)


def load_and_ask(folder: Path) -> str:
    """What happened; spaCy's own files are refused by errors of many types."""
    try:
        nlp = spacy.load(folder)
    except Exception:
        return "refused by spaCy"
    doc = nlp(TEXT)
    assert doc.text == TEXT
    assert len(nlp.get_pipe("hgn_ner").predict([doc])[0]) == len(doc)
    return "taken by spaCy, answers whole"


@pytest.mark.parametrize("file", OURS)
def test_a_newer_format_is_refused_by_its_number(file, folder, tmp_path):
    newer = shutil.copytree(folder, tmp_path / "newer")
    (newer / file).write_bytes(as_format_2((newer / file).read_bytes()))
    with pytest.raises(ValueError, match=r"format 2, and this spacy-hgn reads format 1.* newer"):
        spacy.load(newer)
    tally("a file of ours in a newer format", "refused")


def as_format_2(content: bytes) -> bytes:
    if content.startswith(NAME):
        return NAME + b"\x02" + content[len(MAGIC) :]
    cfg = cfg_from_bytes(content, "cfg")
    with pytest.MonkeyPatch.context() as later:
        later.setattr("spacy_hgn.util.cfg.FORMAT", 2)
        return cfg_to_bytes(cfg)


def test_settings_without_a_format_number_are_read():
    digest = "228b41959bc8a2541a285c5da6075ebf1237e0842f33e03fda88ab57529614b2"
    stored = f'{{"labels": ["PERSON"], "sha256": "{digest}"}}'
    assert cfg_from_bytes(stored.encode(), "cfg") == {"labels": ["PERSON"]}


@pytest.mark.parametrize("content", [b"[" * 10**5, b'{"a": "\\ud800", "sha256": ""}', b"[]", b"1"])
def test_json_that_is_no_settings_is_refused(content):
    with pytest.raises(ValueError, match="Can't read the labels in hgn_ner/cfg"):
        cfg_from_bytes(content, "hgn_ner/cfg")


def test_a_head_over_a_hero_of_another_width_is_refused(folder, wide_folder, tmp_path):
    mixed = shutil.copytree(folder, tmp_path / "mixed")
    shutil.copytree(wide_folder / "hgn_ner", mixed / "hgn_ner", dirs_exist_ok=True)
    nlp = spacy.load(mixed)  # no component sees another's files
    with pytest.raises(ValueError, match="hgn_ner was trained with another Transformer"):
        nlp(TEXT)
    tally("a component of another pipeline, over a Hero of another width", "refused")


def test_a_hero_of_another_pipeline_is_refused(folder, wide_folder, tmp_path):
    mixed = shutil.copytree(folder, tmp_path / "mixed")
    shutil.copytree(wide_folder / "transformer", mixed / "transformer", dirs_exist_ok=True)
    with pytest.raises(ValueError, match=r"The transformer was trained from '.*', but the config"):
        spacy.load(mixed)
    tally("a Hero of another pipeline", "refused")


def test_weights_of_another_hero_are_refused(loaded, wide_folder):
    mixed, other = map(hero_message, (loaded, spacy.load(wide_folder)))
    mixed["weights"] = other["weights"]
    with pytest.raises(ValueError, match="These weights belong to another Hero"):
        hero_from_bytes(srsly.msgpack_dumps(mixed))
    tally("a Hero with another's weights", "refused")
