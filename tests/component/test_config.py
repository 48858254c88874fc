"""The factory's defaults, and the configs that ship with the package."""

import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.cli import app
from spacy.util import load_config, load_model_from_config
from thinc.api import Config
from typer.testing import CliRunner

from spacy_hgn.fusion import FUSIONS
from spacy_hgn.gang.gang import RECURRENCES
from spacy_hgn.hgn_ner import DEFAULT_CONFIG

from .helpers import LISTENER, make_nlp, transformer_config

CONFIGS = Path(__file__).parent.parent.parent / "configs"


def test_defaults_of_the_factory():
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner")
    config = nlp.get_pipe_config("hgn_ner")
    assert config["tag_scheme"] == "bio"
    assert config["decoder"] == "viterbi"
    assert config["scorer"] == {"@scorers": "spacy.ner_scorer.v1"}
    model = {
        "@architectures": "spacy-hgn.HeroGangTagger.v1",
        "tok2vec": LISTENER,
        "windows": [5, 7, 9],
        "recurrence": "lstm",
        "fusion": "dot",
        "dropout": 0.1,
        "precision": "auto",
    }
    assert model.items() <= config["model"].items()
    assert model == DEFAULT_CONFIG["hgn_ner"]["model"]


def test_config_round_trip():
    nlp = make_nlp({"windows": [3], "fusion": "dot"}, tag_scheme="biluo", decoder="argmax")
    text = nlp.config.to_str()
    assert Config().from_str(text, interpolate=False).to_str() == text
    again = load_model_from_config(Config().from_str(text, interpolate=False), validate=True)
    assert again.config.to_str() == text
    assert again.get_pipe("hgn_ner").decoder == "argmax"
    assert again.get_pipe("hgn_ner").tag_set.scheme == "biluo"


def test_config_round_trip_with_a_transformer(tiny_bert):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    nlp.add_pipe("hgn_ner")
    again = load_model_from_config(
        Config().from_str(nlp.config.to_str(), interpolate=False), validate=True
    )
    assert again.config.to_str() == nlp.config.to_str()
    assert again.get_pipe("transformer").listening_components == ["hgn_ner"]


@pytest.mark.parametrize("name", ["hgn.cfg", "base.cfg"])
def test_configs_are_filled(name, tmp_path):
    filled = tmp_path / name
    CliRunner().invoke(app, ["init", "fill-config", str(CONFIGS / name), str(filled)])
    assert filled.read_bytes() == (CONFIGS / name).read_bytes()


def test_base_is_hgn_without_windows():
    base, hgn = ((CONFIGS / name).read_text().splitlines() for name in ("base.cfg", "hgn.cfg"))
    assert len(base) == len(hgn)
    different = [pair for pair in zip(base, hgn) if pair[0] != pair[1]]
    assert different == [("windows = []", "windows = [5, 7, 9]")]


@pytest.mark.parametrize("name", ["hgn.cfg", "base.cfg"])
def test_configs_make_pipelines(name, tiny_bert):
    config = load_config(CONFIGS / name, overrides={"vars.hero": tiny_bert}, interpolate=True)
    nlp = load_model_from_config(config, validate=True)
    assert nlp.pipe_names == ["transformer", "hgn_ner", "doc_cleaner"]
    assert nlp.get_pipe("transformer").listening_components == ["hgn_ner"]


@pytest.mark.slow
def test_names_are_found_by_a_process_that_imports_spacy_alone():
    code = """
import spacy
nlp = spacy.blank("xx")
nlp.add_pipe("hgn_ner")
for name in ("HeroGangTagger", "HeroGangTok2Vec", "TransformerModel", "Tok2VecTransformer"):
    assert callable(spacy.registry.architectures.get(f"spacy-hgn.{name}.v1")), name
assert callable(spacy.registry.get("optimizers", "spacy-hgn.AdamW.v1"))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("setting", ["window", "units"])
def test_misspelt_settings_are_refused(setting):
    with pytest.raises(ValueError, match=setting):
        make_nlp({setting: [1]})


@pytest.mark.parametrize("windows", [[2], [-1], [0], [3, 3]])
def test_impossible_windows_are_refused(windows):
    with pytest.raises(ValueError, match=r"windows: expected .*odd whole numbers .* got"):
        make_nlp({"windows": windows})


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("recurrence", ", ".join(RECURRENCES)), ("fusion", ", ".join(FUSIONS))],
)
def test_unknown_units_and_fusions_are_refused(setting, expected):
    with pytest.raises(ValueError, match=f"Unknown {setting}: expected one of {expected}, got 'x'"):
        make_nlp({setting: "x"})


def test_unknown_decoders_are_refused():
    with pytest.raises(ValueError, match="decoder: expected one of viterbi, argmax, got 'beam'"):
        make_nlp(decoder="beam")


def test_unknown_tag_schemes_are_refused():
    with pytest.raises(ValueError, match="tag_scheme: expected one of bio, biluo, got 'iobes'"):
        make_nlp(tag_scheme="iobes")


@pytest.mark.parametrize("dropout", [-0.1, 1.0])
def test_impossible_dropout_is_refused(dropout):
    with pytest.raises(ValueError, match="dropout: expected a rate"):
        make_nlp({"dropout": dropout})
