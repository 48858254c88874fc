"""Saved pipelines load without pickle, without network and without the folder they came from."""

import pickle
import random
import shutil

import pytest
import safetensors.torch
import spacy
import srsly
import torch
from spacy.util import load_model_from_config
from tiny_heroes import BUILDERS

from spacy_hgn.util.seal import unseal

from .helpers import TEXTS, assert_same, make_pipeline, pipe_vectors

CHECKPOINTS = [*BUILDERS, "xlnet-json"]


def unpack(hero):
    """The parts of a serialized Hero: config, tokenizer files and weights."""
    payload = srsly.msgpack_loads(unseal(hero.to_bytes(), "transformer model"))
    [shim] = [data for shims in payload["shims"] for data in shims]
    return srsly.msgpack_loads(srsly.msgpack_loads(shim)["hero"])


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.usefixtures("no_network")
def test_bytes_give_the_same_vectors(name, hero_folders):
    nlp = make_pipeline(hero_folders[name])
    loaded = nlp
    for _ in range(2):
        loaded = load_model_from_config(nlp.config).from_bytes(loaded.to_bytes())
    assert_same(pipe_vectors(loaded, TEXTS), pipe_vectors(nlp, TEXTS))
    transformer = loaded.get_pipe("transformer")
    assert transformer.model.shim.max_pieces == nlp.get_pipe("transformer").model.shim.max_pieces


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.usefixtures("no_network")
def test_a_folder_needs_the_checkpoint_no_more(name, hero_folders, tmp_path):
    checkpoint = shutil.copytree(hero_folders[name], tmp_path / "checkpoint")
    nlp = make_pipeline(str(checkpoint))
    expected = pipe_vectors(nlp, TEXTS)
    nlp.to_disk(tmp_path / "pipeline")
    shutil.rmtree(checkpoint)
    loaded = spacy.load(tmp_path / "pipeline")
    assert_same(pipe_vectors(loaded, TEXTS), expected)


@pytest.mark.usefixtures("no_network")
def test_a_slow_tokenizer_stays_slow(hero_folders):
    nlp = make_pipeline(hero_folders["bert"], tokenizer_config={"use_fast": False})
    loaded = load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert not loaded.get_pipe("transformer").model.tokenizer.is_fast
    assert_same(pipe_vectors(loaded, TEXTS), pipe_vectors(nlp, TEXTS))


def test_settings_of_tokenizer_and_transformer_are_kept(make_hero):
    hero = make_hero(
        "xlnet",
        tokenizer_config={"model_max_length": 40},
        transformer_config={"output_hidden_states": True},
    )
    loaded = make_hero("xlnet").from_bytes(hero.to_bytes())
    assert loaded.shim.max_pieces == 40
    assert loaded.transformer.config.output_hidden_states
    assert loaded.get_dim("nO") == hero.get_dim("nO")


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_same_model_gives_the_same_bytes(name, make_hero):
    data = make_hero(name).to_bytes()
    assert make_hero(name).to_bytes() == data
    loaded = make_hero(name).from_bytes(data)
    assert unpack(loaded)["weights"] == unpack(make_hero(name))["weights"]


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_bytes_hold_no_pickle(name, make_hero, monkeypatch):
    hero = make_hero(name)

    def refuse(*args, **kwargs):
        raise AssertionError("nothing is to be pickled")

    for module in (pickle, torch):
        for function in ("load", "loads", "save", "dump", "dumps"):
            monkeypatch.setattr(module, function, refuse, raising=False)
    data = hero.to_bytes()
    make_hero(name).from_bytes(data)

    parts = unpack(hero)
    weights = safetensors.torch.load(parts["weights"])
    expected = hero.transformer.state_dict()
    assert set(weights) == set(expected)
    assert all(torch.equal(weights[key], expected[key]) for key in weights)
    rest = data.replace(parts["weights"], b"")
    assert len(rest) == len(data) - len(parts["weights"])
    # A pickle's first bytes with its frame's opcode: two bytes alone turn up in a digest.
    assert b"\x80\x04\x95" not in rest
    assert b"PK\x03\x04" not in rest  # a torch archive's


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_the_hero_tells_no_folder_of_its_machine(name, make_hero, hero_folders):
    parts = unpack(make_hero(name))
    assert "_name_or_path" not in parts["config"]
    assert hero_folders[name] not in srsly.json_dumps(parts["config"])
    for content in parts["tokenizer"].values():
        assert hero_folders[name].encode() not in content


def test_half_precision_checkpoints_load_in_float32(hero_folders, make_hero, tmp_path):
    make_hero("bert").transformer.half().save_pretrained(tmp_path)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(f"{hero_folders['bert']}/{file}", tmp_path)
    nlp = make_pipeline(str(tmp_path))
    loaded = load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    for pipeline in (nlp, loaded):
        assert pipeline.get_pipe("transformer").model.transformer.dtype == torch.float32
    assert_same(pipe_vectors(loaded, TEXTS), pipe_vectors(nlp, TEXTS))


@pytest.mark.parametrize("seed", range(20))
def test_a_changed_byte_is_refused(seed, make_hero):
    hero = make_hero("bert")
    data = bytearray(hero.to_bytes())
    chance = random.Random(seed)
    place = chance.randrange(len(data)) if seed else 0
    data[place] ^= 1 << chance.randrange(8)
    with pytest.raises(ValueError, match="transformer model"):
        hero.from_bytes(bytes(data))


@pytest.mark.parametrize("part", [0, 0.00001, 0.0001, 0.1, 0.5, 0.999999])
def test_a_file_cut_short_is_refused(part, hero_folders, tmp_path):
    make_pipeline(hero_folders["bert"]).to_disk(tmp_path)
    file = tmp_path / "transformer" / "model"
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ValueError, match="transformer model"):
        spacy.load(tmp_path)


def test_a_refused_file_changes_nothing(make_hero, english):
    hero = make_hero("bert")
    before = hero.to_bytes()
    with pytest.raises(ValueError, match="transformer model"):
        hero.from_bytes(make_hero("xlnet").to_bytes()[:-1])
    assert hero.to_bytes() == before


def test_an_uninitialized_pipeline_can_be_saved(hero_folders, tmp_path):
    nlp = make_pipeline(hero_folders["bert"])
    empty = load_model_from_config(nlp.config)
    empty.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    loaded.initialize()
    assert_same(pipe_vectors(loaded, TEXTS), pipe_vectors(nlp, TEXTS))


@pytest.mark.usefixtures("no_network")
def test_tiny_numbers_of_the_configuration_stay(hero_folders):
    nlp = make_pipeline(hero_folders["bert"], transformer_config={"layer_norm_eps": 1e-12})
    loaded = load_model_from_config(nlp.config).from_bytes(nlp.to_bytes())
    for each in (nlp, loaded):
        assert each.get_pipe("transformer").model.transformer.config.layer_norm_eps == 1e-12
