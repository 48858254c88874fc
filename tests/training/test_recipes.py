"""Recipes: whole settings by name, and what contradicts them."""

import pytest
from spacy.util import load_config

from spacy_hgn.hgn_ner import DEFAULT_CONFIG
from spacy_hgn.training.init_config import make_training_config
from spacy_hgn.training.recipes import (
    FROZEN_HERO,
    LEAST_STEPS,
    RecipeError,
    choose_recipe,
    fit_to_hero,
    read_recipe,
    recipe_names,
)

MODEL = "components.hgn_ner.model"
HERO = "components.transformer.model"
OF_FROZEN = {
    *(f"{HERO}.{name}" for name in ("@architectures", "layers", "pooling", "keep", "kept_in")),
    *(f"{MODEL}.{name}" for name in ("normalize", "head_dropout", "members")),
}
"""What a frozen Hero has besides, and the head over it."""


def test_the_names():
    assert recipe_names() == ["default", "fast", "frozen", "paper"]


@pytest.mark.parametrize("name", recipe_names())
def test_each_is_whole(name):
    """No recipe leaves a setting to another one or to chance."""
    recipe, default = read_recipe(name), read_recipe("default")
    assert recipe.name == name
    besides = OF_FROZEN if name == "frozen" else set()
    assert recipe.settings.keys() == default.settings.keys() | besides
    assert recipe.epochs > 0
    assert 0 < recipe.warmup < 1


@pytest.mark.parametrize("name", recipe_names())
def test_its_settings_reach_the_config(name):
    config = make_training_config("en", "hero", recipe=name, sentences=2500)
    assert config["vars"]["recipe"] == name
    recipe = read_recipe(name)
    for place, value in recipe.settings.items():
        if name == "frozen" and place == "vars.hero_learn_rate":
            continue
        section, key = place.rsplit(".", 1)
        found = config
        for part in section.split("."):
            found = found[part]
        assert found[key] == value, place
    steps = 79 * recipe.epochs  # of 32 sentences
    assert config["training"]["max_steps"] == steps
    assert config["training"]["eval_frequency"] == 79
    assert config["vars"]["warmup_steps"] == round(recipe.warmup * steps)


def test_a_frozen_hero_has_no_learning_rate_to_be_set():
    config = make_training_config("en", "hero", recipe="frozen", members=3)
    assert "hero_learn_rate" not in config["vars"]
    assert config["training"]["optimizer"]["hero_learn_rate"] == 0.0
    assert config["nlp"]["batch_size"] == 32  # Docs with vectors of all layers
    assert config["components"]["transformer"]["model"]["@architectures"] == FROZEN_HERO
    assert config["components"]["hgn_ner"]["model"]["members"] == 3


def test_a_config_for_a_hero_that_learns_can_be_made_one_for_a_frozen_hero():
    """That of the repository, which grids and the project begin with."""
    settings = read_recipe("frozen").with_settings({"vars.hero": "h", "vars.recipe": "frozen"})
    config = load_config("configs/hgn.cfg", overrides=settings, interpolate=False)
    fit_to_hero(config)
    expected = make_training_config("en", "h", recipe="frozen", optimize="accuracy", gpu=True)
    assert config == expected


def test_a_config_for_a_hero_that_learns_stays_as_it_is():
    config = load_config("configs/hgn.cfg", interpolate=False)
    before = config.copy()
    fit_to_hero(config)
    assert config == before


def test_large_corpora_take_fewer_epochs_and_a_higher_rate_over_a_frozen_hero():
    few, many = read_recipe("frozen", 3394), read_recipe("frozen", 4560)
    assert few.count_steps(3394) == 8 * 107
    assert many.count_steps(4560) == 4 * 143
    assert few.settings["vars.learn_rate"] == read_recipe("frozen").settings["vars.learn_rate"]
    assert many.settings == {**few.settings, "vars.learn_rate": 2e-3}
    assert read_recipe("frozen", 4500) == few
    assert read_recipe("frozen", 4501) == many
    assert read_recipe("default", 12574) == read_recipe("default")
    config = make_training_config("en", "hero", recipe="frozen", sentences=4560)
    assert config["training"]["eval_frequency"] == 143
    assert config["vars"]["learn_rate"] == 2e-3


def test_a_small_corpus_is_gone_through_more_often():
    assert read_recipe("default").count_steps(60) == LEAST_STEPS
    assert read_recipe("default").count_steps(1) == LEAST_STEPS
    assert make_training_config("en", "hero", sentences=60)["training"]["max_steps"] == LEAST_STEPS


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
    with pytest.raises(
        RecipeError, match="expected one of default, fast, frozen, paper, got 'best'"
    ):
        read_recipe("best")


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("fast", {f"{MODEL}.windows": [3, 5]}, r"one window at most, got windows \[3, 5\]"),
        ("paper", {"vars.learn_rate": 1e-3}, "one learning rate for all weights, got 5e-05 and"),
        ("paper", {f"{MODEL}.edges": False}, r"edges = True, got False"),
        ("paper", {"components.hgn_ner.decoder": "viterbi"}, "decoder = 'argmax', got 'viterbi'"),
        ("paper", {"training.optimizer.grad_clip": 0.0}, r"grad_clip = 1\.0, got 0\.0"),
        ("paper", {f"{MODEL}.members": 3}, "members = 1, got 3"),
        ("paper", {f"{HERO}.trained_layers": 2}, "trained_layers = None, got 2"),
        (
            "frozen",
            {"vars.hero_learn_rate": 1e-5},
            "train its Hero, got vars.hero_learn_rate = 1e-05",
        ),
        ("frozen", {f"{HERO}.trained_layers": 2}, f"train its Hero, got {HERO}.trained_layers = 2"),
        (
            "frozen",
            {f"{HERO}.@architectures": "spacy-hgn.TransformerModel.v1"},
            "doesn't train its Hero, got the architecture spacy-hgn.TransformerModel.v1",
        ),
        (
            "default",
            {f"{HERO}.@architectures": FROZEN_HERO},
            f"trains its Hero, got the architecture {FROZEN_HERO}",
        ),
    ],
)
def test_what_contradicts_a_recipe_is_refused(name, given, expected):
    with pytest.raises(RecipeError, match=expected):
        read_recipe(name).with_settings(given)


def test_windows_rate_and_recurrence_of_the_papers_tables_do_not_contradict_it():
    given = {f"{MODEL}.windows": [], f"{MODEL}.recurrence": "cnn", f"{MODEL}.fusion": "add"}
    rates = {"vars.learn_rate": 9e-6, "vars.hero_learn_rate": 9e-6}
    read_recipe("paper").with_settings({**given, **rates})


def test_frozen_may_be_said_besides_the_recipe():
    assert choose_recipe(None, True) == choose_recipe("frozen", True) == "frozen"
    assert choose_recipe(None, False) is None
    assert choose_recipe("paper", False) == "paper"
    with pytest.raises(RecipeError, match="own recipe, frozen, but got the recipe paper too"):
        choose_recipe("paper", True)
