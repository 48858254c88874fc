"""Settings that are changed on a component: refused, or stored and there again."""

from pathlib import Path

import pytest
import spacy
from spacy.cli.find_threshold import find_threshold
from spacy.language import Language
from spacy.tokens import DocBin

from .helpers import TEXTS, make_examples, make_nlp

CHANGED = {
    "decoder": "argmax",
    "threshold": 0.8,
    "scores": False,
    "overlap": True,
    "incorrect_spans_key": "wrong",
    "loss_factor": 2.0,
}


def settings_of(nlp: Language) -> dict:
    return {name: getattr(nlp.get_pipe("hgn_ner"), name) for name in CHANGED}


def change(nlp: Language) -> Language:
    for name, value in CHANGED.items():
        setattr(nlp.get_pipe("hgn_ner"), name, value)
    return nlp


def with_settings(folder: Path, **settings) -> Language:
    return spacy.load(folder, config={"components": {"hgn_ner": settings}})


def test_changed_settings_are_in_the_stored_config(nlp, tmp_path):
    change(nlp).to_disk(tmp_path)
    assert settings_of(spacy.load(tmp_path)) == CHANGED
    stored = spacy.util.load_config(tmp_path / "config.cfg")["components"]["hgn_ner"]
    assert {name: stored[name] for name in CHANGED} == CHANGED


def test_what_is_given_on_loading_wins_over_what_was_changed(nlp, tmp_path):
    """Also if it is what the setting was before."""
    nlp.get_pipe("hgn_ner").threshold = 0.8
    nlp.to_disk(tmp_path)
    for threshold in (0.0, 0.5, 0.8):
        loaded = with_settings(tmp_path, threshold=threshold)
        assert loaded.get_pipe("hgn_ner").threshold == threshold


def test_bytes_of_pipeline_and_component_bring_settings_back(nlp):
    change(nlp)
    by_pipeline, by_component = make_nlp(), make_nlp()
    by_pipeline.from_bytes(nlp.to_bytes())
    by_component.get_pipe("hgn_ner").from_bytes(nlp.get_pipe("hgn_ner").to_bytes())
    assert settings_of(by_pipeline) == settings_of(by_component) == CHANGED
    assert by_pipeline.config["components"]["hgn_ner"]["threshold"] == 0.8


def test_a_sourced_component_keeps_its_changed_settings(cnn_folder, tmp_path):
    nlp, source = spacy.blank("xx"), spacy.load(cnn_folder)
    nlp.add_pipe("hgn_ner", source=source)
    change(nlp).to_disk(tmp_path)
    assert settings_of(spacy.load(tmp_path)) == CHANGED
    loaded = with_settings(tmp_path, threshold=0.5)
    assert settings_of(loaded) == {**CHANGED, "threshold": 0.5}


def test_a_renamed_component_keeps_its_changed_settings(nlp, tmp_path):
    nlp.rename_pipe("hgn_ner", "names")
    nlp.get_pipe("names").threshold = 0.8
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("names").threshold == 0.8


def test_a_config_that_refers_to_variables(cnn_folder, tmp_path):
    config = spacy.util.load_config(cnn_folder / "config.cfg", interpolate=False)
    config["vars"] = {"threshold": 0.25}
    config["components"]["hgn_ner"]["threshold"] = "${vars.threshold}"
    nlp = spacy.blank("xx").from_config(config)
    nlp.from_disk(cnn_folder, exclude=["config.cfg"])
    assert nlp.get_pipe("hgn_ner").threshold == 0.25
    nlp.get_pipe("hgn_ner").threshold = 0.75
    nlp.to_disk(tmp_path)
    assert spacy.load(tmp_path).get_pipe("hgn_ner").threshold == 0.75


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("threshold", 1.5, "threshold: expected a probability from 0 to 1, got 1.5"),
        ("threshold", float("nan"), "expected a probability"),
        ("threshold", "high", "expected a probability"),
        ("decoder", "viterbo", "Unknown decoder: expected one of viterbi, argmax, got 'viterbo'"),
        ("scores", "yes", "scores: expected True or False, got 'yes'"),
        ("overlap", None, "overlap: expected True or False"),
        ("loss_factor", 0, "loss_factor: expected a number above 0, got 0"),
        ("incorrect_spans_key", 3, "incorrect_spans_key: expected a key of doc.spans or None"),
    ],
)
def test_impossible_settings_are_refused_and_change_nothing(setting, value, message, nlp):
    before, config = settings_of(nlp), nlp.config.to_str()
    ner = nlp.get_pipe("hgn_ner")
    with pytest.raises(ValueError, match=message):
        setattr(ner, setting, value)
    with pytest.raises(ValueError, match=message):
        ner.cfg[setting] = value
    assert (settings_of(nlp), nlp.config.to_str()) == (before, config)


def test_cfg_has_the_settings_as_in_spacys_components(nlp):
    ner = nlp.get_pipe("hgn_ner")
    ner.cfg["threshold"] = 1
    assert ner.threshold == 1
    assert nlp(TEXTS[0]).ents == ()
    with pytest.raises(ValueError, match=r"Unknown setting: expected one of decoder.*'treshold'"):
        ner.cfg["treshold"] = 0.5


def test_spacys_find_threshold(cnn_folder, nlp, tmp_path):
    DocBin(docs=[eg.reference for eg in make_examples(nlp)]).to_disk(tmp_path / "dev.spacy")
    _, best, scores = find_threshold(
        str(cnn_folder), tmp_path / "dev.spacy", "hgn_ner", "threshold", "ents_f", n_trials=3
    )
    assert best == scores[0.0] == 1.0
    assert scores[1.0] == 0.0
