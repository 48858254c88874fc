"""Recipes: whole settings by name, and what contradicts them."""

import pytest
from spacy.util import load_config

from spacy_hgn.default_config import DEFAULT_CONFIG
from spacy_hgn.recipes import RecipeError, read_recipe, recipe_names
from spacy_hgn.training_config import make_training_config

MODEL = "components.hgn_ner.model"


def test_the_names():
    assert recipe_names() == ["default", "fast", "paper"]


@pytest.mark.parametrize("name", recipe_names())
def test_each_is_whole(name):
    """No recipe leaves a setting to another one or to chance."""
    recipe, default = read_recipe(name), read_recipe("default")
    assert recipe.name == name
    assert recipe.settings.keys() == default.settings.keys()
    assert recipe.epochs > 0
    assert 0 < recipe.warmup < 1


@pytest.mark.parametrize("name", recipe_names())
def test_its_settings_reach_the_config(name):
    config = make_training_config("en", "hero", recipe=name, sentences=100)
    assert config["vars"]["recipe"] == name
    recipe = read_recipe(name)
    for place, value in recipe.settings.items():
        section, key = place.rsplit(".", 1)
        found = config
        for part in section.split("."):
            found = found[part]
        assert found[key] == value, place
    steps = 4 * recipe.epochs  # of 32 sentences
    assert config["training"]["max_steps"] == steps
    assert config["training"]["eval_frequency"] == 4
    assert config["vars"]["warmup_steps"] == round(0.1 * steps)


def test_the_component_without_a_config_is_that_of_the_default():
    component = DEFAULT_CONFIG["hgn_ner"]
    for place, value in read_recipe("default").settings.items():
        for section, settings in ((f"{MODEL}.", component["model"]), (MODEL[:-5], component)):
            if place.startswith(section):
                assert settings.get(place.removeprefix(section), value) == value, place
                break


def test_the_config_of_the_repository_is_that_of_the_default():
    config = load_config("configs/hgn.cfg", interpolate=False)
    model = config["components"]["hgn_ner"]["model"]
    settings = read_recipe("default").settings
    for name in ("windows", "fusion", "recurrence", "edges", "feed_forward"):
        assert model[name] == settings[f"{MODEL}.{name}"]


def test_settings_take_the_place_of_the_recipes():
    found = read_recipe("default").with_settings({f"{MODEL}.windows": [3], "vars.hero": "h"})
    assert (found[f"{MODEL}.windows"], found["vars.hero"]) == ([3], "h")
    assert found["training.optimizer.grad_clip"] == 1.0


def test_an_unknown_recipe_is_refused():
    with pytest.raises(RecipeError, match="expected one of default, fast, paper, got 'best'"):
        read_recipe("best")


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("fast", {f"{MODEL}.windows": [3, 5]}, r"one window at most, got windows \[3, 5\]"),
        ("paper", {"vars.learn_rate": 1e-3}, "one learning rate for all weights, got 5e-05 and"),
        ("paper", {f"{MODEL}.edges": False}, r"edges = True, got False"),
        ("paper", {"components.hgn_ner.decoder": "viterbi"}, "decoder = 'argmax', got 'viterbi'"),
        ("paper", {"training.optimizer.grad_clip": 0.0}, r"grad_clip = 1\.0, got 0\.0"),
    ],
)
def test_what_contradicts_a_recipe_is_refused(name, given, expected):
    with pytest.raises(RecipeError, match=expected):
        read_recipe(name).with_settings(given)


def test_windows_rate_and_recurrence_of_the_papers_tables_do_not_contradict_it():
    given = {f"{MODEL}.windows": [], f"{MODEL}.recurrence": "cnn", f"{MODEL}.fusion": "add"}
    rates = {"vars.learn_rate": 9e-6, "vars.hero_learn_rate": 9e-6}
    read_recipe("paper").with_settings({**given, **rates})
