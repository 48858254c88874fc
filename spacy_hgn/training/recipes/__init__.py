"""Recipes: complete sets of training settings. Each is a file in this folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from confection import Config
from spacy.util import dict_to_dot

FOLDER = Path(__file__).parent
DEFAULT = "default"
FROZEN = "frozen"

MODEL = "components.hgn_ner.model"
HERO = "components.transformer.model"
FROZEN_HERO = "spacy-hgn.FrozenTransformer.v1"

LEAST_STEPS = 200
"""The minimum for a small corpus, because nothing is learnt in 10 steps."""

DOCS_AT_ONCE = 32
"""Docs per batch with a frozen Hero, because each token holds the vectors of all layers."""


class RecipeError(ValueError):
    """The recipe doesn't exist, or a setting contradicts it."""


@dataclass(frozen=True)
class Recipe:
    """A complete set of training settings.

    epochs: the number to train for. warmup: the share of all steps in which learning rates rise.
    settings: of a config, in spaCy's dotted form.
    """

    name: str
    epochs: int
    warmup: float
    settings: dict[str, Any]

    @property
    def batch(self) -> int:
        """Sentences per step."""
        return self.settings["training.batcher.size"]

    @property
    def trains_hero(self) -> bool:
        """Whether the Hero is trained."""
        return self.name != FROZEN

    def count_steps(self, sentences: int) -> int:
        """The steps in all epochs, at least ``LEAST_STEPS``. sentences: the number to train on."""
        return max(self.epochs * ceil(sentences / self.batch), LEAST_STEPS)

    def with_settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's settings with overrides and additions.

        Raises RecipeError if one contradicts the recipe.
        """
        found = {**self.settings, **given}
        if problem := next(_contradictions(self, found), None):
            raise RecipeError(
                f"The recipe {self.name} {problem}. Choose another recipe, or leave this out."
            )
        return found


def recipe_names() -> list[str]:
    """The names of all recipes, the default first."""
    return sorted((path.stem for path in FOLDER.glob("*.cfg")), key=lambda n: (n != DEFAULT, n))


def read_recipe(name: str, sentences: int = 0) -> Recipe:
    """Read a recipe by name. Raises RecipeError if it doesn't exist.

    sentences: the number to train on. ``frozen`` has other settings for many; 0 is unknown, with
        the settings for few.
    """
    if name not in recipe_names():
        raise RecipeError(
            f"Unknown recipe: expected one of {', '.join(recipe_names())}, got {name!r}."
        )
    config = Config().from_disk(FOLDER / f"{name}.cfg", interpolate=False)
    about = config.pop("recipe")
    if (large := about.get("large")) and sentences > large["sentences"]:
        about["epochs"] = large["epochs"]
        config["vars"]["learn_rate"] = large["learn_rate"]
    return Recipe(name, about["epochs"], about["warmup"], dict_to_dot(config))


def choose_recipe(name: str | None, is_frozen: bool) -> str | None:
    """The name of the recipe, given its name and ``--frozen``; None if neither is given.

    Raises RecipeError if they contradict each other.
    """
    if not is_frozen:
        return name
    if name not in (None, FROZEN):
        raise RecipeError(
            f"A frozen Hero has its own recipe, {FROZEN}, but got the recipe {name} too. "
            "Leave out one of them."
        )
    return FROZEN


def fit_to_hero(config: Config) -> None:
    """Adapt a config to a frozen Hero, if it has one: no learning rate for the Hero, and smaller
    batches, because its Docs need more memory."""
    hero = config["components"].get("transformer", {}).get("model", {})
    if hero.get("@architectures") != FROZEN_HERO:
        return
    config["nlp"]["batch_size"] = min(config["nlp"]["batch_size"], DOCS_AT_ONCE)
    if "hero_learn_rate" in config["training"]["optimizer"]:
        config["training"]["optimizer"]["hero_learn_rate"] = 0.0
        config["vars"].pop("hero_learn_rate", None)


def _contradictions(recipe: Recipe, settings: Mapping[str, Any]) -> Iterator[str]:
    """Contradictions between settings and a recipe, as messages that follow its name."""
    windows = settings[f"{MODEL}.windows"]
    if recipe.name == "fast" and isinstance(windows, list) and len(windows) > 1:
        yield f"has one window at most, got windows {windows}"
    hero = settings.get(f"{HERO}.@architectures")
    if recipe.trains_hero and hero == FROZEN_HERO:
        yield f"trains its Hero, got the architecture {hero}, which isn't trained"
    if not recipe.trains_hero:
        if hero != FROZEN_HERO:
            yield f"doesn't train its Hero, got the architecture {hero}"
        for place in ("vars.hero_learn_rate", f"{HERO}.trained_layers"):
            if settings.get(place):
                yield f"doesn't train its Hero, got {place} = {settings[place]!r}"
    if recipe.name == "paper":
        rates = settings["vars.hero_learn_rate"], settings["vars.learn_rate"]
        if rates[0] != rates[1]:
            yield f"has one learning rate for all weights, got {rates[0]} and {rates[1]}"
        published = {name: recipe.settings[name] for name in PUBLISHED}
        for name, value in {**published, **UNPUBLISHED}.items():
            if settings.get(name, value) != value:
                yield f"has {name} = {value!r}, got {settings[name]!r}"


PUBLISHED = (
    "training.dropout",
    "training.batcher.size",
    "training.optimizer.weight_decay",
    "training.optimizer.grad_clip",
    "components.hgn_ner.decoder",
    "components.hgn_ner.tag_scheme",
    f"{MODEL}.edges",
    f"{MODEL}.feed_forward",
)
"""Settings that the recipe ``paper`` requires. Windows, fusion, recurrence and learning rate vary
in the paper too; precision doesn't change the method."""

UNPUBLISHED = {
    f"{HERO}.trained_layers": None,
    f"{MODEL}.normalize": False,
    f"{MODEL}.head_dropout": False,
    f"{MODEL}.members": 1,
}
"""Settings that the paper's model doesn't have, with their neutral values."""
