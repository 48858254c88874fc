"""Recipes: whole settings of a training, by name. Each is a file in this folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from confection import Config

FOLDER = Path(__file__).parent
DEFAULT = "default"

MODEL = "components.hgn_ner.model"


class RecipeError(ValueError):
    """There is no such recipe, or a setting that contradicts it."""


@dataclass(frozen=True)
class Recipe:
    """A whole setting of a training.

    epochs: to train for. warmup: the part of all steps in which the learning rates rise.
    settings: of a config, in spaCy's dotted form.
    """

    name: str
    epochs: int
    warmup: float
    settings: dict[str, Any]

    @property
    def batch(self) -> int:
        """Sentences in a step."""
        return self.settings["training.batcher.size"]

    def count_steps(self, sentences: int) -> int:
        """Those of all epochs. sentences: to train on."""
        return self.epochs * ceil(sentences / self.batch)

    def with_settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's settings, and others in the place of some of them or besides.

        Raises RecipeError for one that contradicts the recipe: under another name it would be
        fine.
        """
        found = {**self.settings, **given}
        if problem := next(_contradictions(self, found), None):
            raise RecipeError(
                f"The recipe {self.name} {problem}. Choose another recipe, or leave that away."
            )
        return found


def recipe_names() -> list[str]:
    """The default first."""
    return sorted((path.stem for path in FOLDER.glob("*.cfg")), key=lambda n: (n != DEFAULT, n))


def read_recipe(name: str) -> Recipe:
    """The recipe of that name. Raises RecipeError if there is none."""
    if name not in recipe_names():
        raise RecipeError(
            f"Unknown recipe: expected one of {', '.join(recipe_names())}, got {name!r}."
        )
    config = Config().from_disk(FOLDER / f"{name}.cfg", interpolate=False)
    about = config.pop("recipe")
    return Recipe(name, about["epochs"], about["warmup"], dict(_flatten(config)))


def _contradictions(recipe: Recipe, settings: Mapping[str, Any]) -> Iterator[str]:
    """What settings say against a recipe, each in words that follow its name."""
    windows = settings[f"{MODEL}.windows"]
    if recipe.name == "fast" and isinstance(windows, list) and len(windows) > 1:
        yield f"has one window at most, got windows {windows}"
    if recipe.name != "paper":
        return
    rates = settings["vars.hero_learn_rate"], settings["vars.learn_rate"]
    if rates[0] != rates[1]:
        yield f"has one learning rate for all weights, got {rates[0]} and {rates[1]}"
    for name in PUBLISHED:
        if settings[name] != recipe.settings[name]:
            yield f"has {name} = {recipe.settings[name]!r}, got {settings[name]!r}"


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
"""What the recipe ``paper`` isn't itself without. Windows, fusion, recurrence and rate vary in
the paper too; precision doesn't change what is computed."""


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
