"""Write the config of a training: configs/hgn.cfg with a recipe and what project.yml's vars choose.

The step ``config`` of the workflow ``build``. An option with an empty value counts as not given.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from math import ceil
from pathlib import Path
from typing import Any

import spacy
import srsly
from confection import Config
from fetch_hero import locate
from packaging.version import InvalidVersion, Version
from wasabi import msg

from spacy_hgn.corpora.parts import iterate_docs
from spacy_hgn.training.evaluations import fit_evaluations
from spacy_hgn.training.init_config import (
    MULTILINGUAL,
    describe_foreign_hero,
    find_language,
)
from spacy_hgn.training.recipes import (
    DEFAULT,
    LEAST_STEPS,
    RecipeError,
    choose_recipe,
    fit_to_hero,
    read_recipe,
)

PROJECT = Path(__file__).parent.parent


def widths(text: str) -> list[int]:
    """Those of windows, in brackets: ``[3, 5, 7]``, or ``[]``."""
    return [int(width) for width in text.strip("[] ").split(",") if width.strip()]


def is_true(text: str) -> bool:
    """Whether a yes or no is one, as spaCy hands it on."""
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


# What can be chosen, project.yml's vars: for the steps of the workflow build, and for the training,
# each with its place in configs/hgn.cfg.
STEPS = {
    **{"name": str, "version": str, "lang": str, "source": str, "data": str, "licence": str},
    **{"text": str, "gpu": int},
}
READING = {
    **{"format": str, "delimiter": str, "column": int, "token_column": int, "scheme": str},
    **{"comments": is_true, "tag_names": str, "ignore": str, "rejected": str, "merge": int},
    **{"offsets": str, "lenient": is_true},
}
TRAINING = {
    "recipe": (str, "vars.recipe"),
    "lang": (str, "nlp.lang"),
    "hero": (locate, "vars.hero"),
    "hero_learn_rate": (float, "vars.hero_learn_rate"),
    "learn_rate": (float, "vars.learn_rate"),
    "windows": (widths, "components.hgn_ner.model.windows"),
    "recurrence": (str, "components.hgn_ner.model.recurrence"),
    "fusion": (str, "components.hgn_ner.model.fusion"),
    "members": (int, "components.hgn_ner.model.members"),
    "steps": (int, "training.max_steps"),
    "warmup": (int, "vars.warmup_steps"),
    "eval_frequency": (int, "training.eval_frequency"),
    "patience": (int, "training.patience"),
    "seed": (int, "system.seed"),
}
VARS = {**STEPS, **READING, **{name: read for name, (read, _) in TRAINING.items()}}


def main() -> None:
    """Write training/NAME.cfg, with steps for the sentences of corpus/NAME/train.spacy."""
    given = parse_vars(argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False))
    for name in ("name", "source"):
        if name not in given:
            sys.exit(
                f"Expected --vars.{name}, got none. The workflow build needs it; the commands "
                "demo, wnut17 ... custom look up what they build in configs/corpora.yml."
            )
    check_names({"lang": "en", "version": "0.1.0", **given})
    train = PROJECT / "corpus" / given["name"] / "train.spacy"
    sentences = count_annotated(train) if train.exists() else 0
    planned = plan(given, sentences) if sentences else given
    overrides = make_overrides(planned, sentences)
    config = Config().from_disk(
        PROJECT / "configs" / "hgn.cfg", interpolate=False, overrides=overrides
    )
    if foreign := describe_foreign_hero(config["vars"]["hero"], config["nlp"]["lang"]):
        msg.warn(f"{foreign} In the project: --vars.hero {MULTILINGUAL}")
    fit_to_hero(config)
    training = config["training"]
    training["max_steps"], training["eval_frequency"] = fit_evaluations(
        training["max_steps"], training["eval_frequency"]
    )
    training["logger"]["logger"] = {
        "@loggers": "spacy.ConsoleLogger.v3",
        "progress_bar": "train",
        "output_file": f"training/{given['name']}/log.jsonl",
    }
    path = PROJECT / "training" / f"{given['name']}.cfg"
    path.parent.mkdir(exist_ok=True)
    config.to_disk(path)


def count_annotated(part: Path) -> int:
    """The Docs of a part that an epoch goes through: OntoNotes has some without annotation."""
    docs = iterate_docs(part, spacy.blank("xx"))
    return sum(doc.has_annotation("ENT_IOB") for doc in docs)


def plan(given: dict[str, Any], sentences: int) -> dict[str, Any]:
    """What is given, and steps, warm-up and evaluations for a corpus of so many sentences.

    A small corpus gets more than the recipe's epochs, and ends early when they don't help.
    """
    recipe = read_recipe(given.get("recipe", DEFAULT), sentences)
    steps = given.get("steps", recipe.count_steps(sentences))
    # A head over a frozen Hero learns so fast that to evaluate it costs as much as to train it.
    evaluations = 20 if recipe.trains_hero else recipe.epochs
    planned = {
        "steps": steps,
        "warmup": ceil(recipe.warmup * steps),
        "eval_frequency": max(50, steps // evaluations),
    }
    if "steps" not in given and steps == LEAST_STEPS:
        planned |= {"eval_frequency": steps // 10, "patience": steps // 2}
        msg.info(
            f"{sentences:,} sentences are few. Training takes {steps} steps, which is "
            f"{steps // ceil(sentences / recipe.batch)} epochs, and stops when F1 on dev hasn't "
            f"risen for {steps // 2} steps. More annotated sentences will help most."
        )
    return {**planned, **given}


def check_names(given: dict[str, Any]) -> None:
    """Exit where the package couldn't have the name, version or language that is given."""
    lang, name, version = given["lang"], given["name"], given["version"]
    if not re.fullmatch("[a-z0-9]+(_[a-z0-9]+)*", name) or name.startswith(f"{lang}_"):
        sys.exit(
            f"--vars.name: expected small letters, digits and single _, such as my_ner, without "
            f"the language that is put before it; got {name!r}."
        )
    try:
        if (code := find_language(lang)) != lang:
            sys.exit(f"--vars.lang: expected {code}, as spaCy calls it; got {lang!r}.")
        if (normal := str(Version(version))) != version:
            sys.exit(f"--vars.version: expected {normal}, as pip writes it; got {version!r}.")
    except InvalidVersion:
        sys.exit(f"--vars.version: expected one like 0.1.0, got {version!r}.")
    except ValueError as error:
        sys.exit(f"--vars.lang: {error}")


def make_overrides(given: dict[str, Any], sentences: int = 0) -> dict[str, Any]:
    """What the recipe for a corpus of so many sentences, and vars in the place of some of its
    settings, change in configs/hgn.cfg; exit where they contradict each other."""
    chosen = {place: given[name] for name, (_, place) in TRAINING.items() if name in given}
    try:
        return read_recipe(given.get("recipe", DEFAULT), sentences).with_settings(chosen)
    except RecipeError as error:
        sys.exit(f"--vars.recipe: {error}")


def parse_vars(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Those of project.yml's vars that the command line gives, besides what the parser has.

    ``frozen`` is told as a recipe; exit where another one is named.
    """
    if unknown := find_unknown(read_command_above()):
        sys.exit(unknown)
    for name, read in {**VARS, "frozen": is_true}.items():
        parser.add_argument(f"--{name}", type=read, default=argparse.SUPPRESS)
    empty = {f"--{name}=" for name in (*VARS, "frozen")}  # project.yml hands on all vars
    found = vars(parser.parse_args([word for word in sys.argv[1:] if word not in empty]))
    try:
        recipe = choose_recipe(found.get("recipe"), found.pop("frozen", False))
    except RecipeError as error:
        sys.exit(f"--vars.frozen: {error}")
    return found if recipe is None else {**found, "recipe": recipe}


def find_unknown(words: Iterable[str]) -> str | None:
    """What to say of a --vars.NAME that project.yml doesn't have; None where there is none.

    ``spacy project run`` ignores it.
    """
    known = srsly.read_yaml(PROJECT / "project.yml")["vars"]
    for word in words:
        name = word.removeprefix("--vars.").partition("=")[0]
        if word.startswith("--vars.") and name.replace("-", "_") not in known:
            near = get_close_matches(name, known, 1)
            meant = f" Did you mean --vars.{near[0]}?" if near else ""
            return f"--vars.{name}: expected one of the vars in project.yml.{meant}"
    return None


def read_command_above() -> list[str]:
    """The command line of the process that runs this one; nothing where Linux doesn't tell it."""
    try:
        return Path(f"/proc/{os.getppid()}/cmdline").read_text(encoding="utf8").split("\0")
    except (OSError, ValueError):
        return []


if __name__ == "__main__":
    main()
