"""Build a pipeline from a corpus of configs/corpora.yml: from its files to an installed package.

Looks the corpus up, fetches what it needs and runs the project's workflow ``build``. The commands
demo, wnut17 ... of project.yml are this script.
"""

import argparse
import subprocess
import sys
from math import ceil
from typing import Any

import fetch_assets
import fetch_hero
import srsly
from write_config import PROJECT, VARS, check_names, make_overrides, parse_vars

from spacy_hgn.corpora.assets import list_assets
from spacy_hgn.training.recipes import DEFAULT, Recipe, RecipeError, read_recipe


def main() -> None:
    """Build the pipeline of CORPUS. An option with an empty value counts as not given."""
    table = srsly.read_yaml(PROJECT / "configs" / "corpora.yml")
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    parser.add_argument("corpus", choices=list(table["corpora"]))
    given = parse_vars(parser)
    chosen = choose(table, given.pop("corpus"), given)
    make_overrides(chosen)  # before anything is fetched
    check_names({"lang": "en", "version": "0.1.0", **chosen})
    for name in fetch_hero.HEROES:
        if chosen["hero"] == fetch_hero.locate(name):
            fetch_hero.fetch(name)
    for asset in list_assets(PROJECT, chosen["source"]):
        fetch_assets.fetch(asset)
    if not (PROJECT / chosen["source"]).is_dir():
        sys.exit(
            f"{chosen['source']}: expected a folder that holds the train, dev and test parts. Name "
            "one: --vars.source FOLDER."
        )
    build = [sys.executable, "-m", "spacy", "project", "run", "build", str(PROJECT)]
    for name, value in chosen.items():
        build += [f"--vars.{name}", str(value)]
    sys.exit(subprocess.run(build).returncode)


def choose(table: dict[str, Any], corpus: str, given: dict[str, Any]) -> dict[str, Any]:
    """What is given, and for the rest what the table says; exit where that isn't enough."""
    row = table["corpora"][corpus]
    paper = row.get("paper", {})
    recipe = find_recipe(given.get("recipe", DEFAULT))
    if given.get("hero") == "paper":
        if not paper:
            sys.exit(f"--vars.hero paper: {corpus} isn't in the paper. Name a Hero.")
        given = {**given, "hero": paper["heroes"][0]}
    hero = given.get("hero", table["default"]["hero"])
    best: dict[str, Any] = {}
    if recipe.name == "paper":
        best = best_of_paper(paper, given)
    elif recipe.trains_hero:
        best = table["heroes"].get(hero, {})
    chosen = {
        "name": f"hgn_{corpus.replace('-', '_')}",
        "data": f"{row['title']} ({row['licence']})" if "licence" in row else row["title"],
        **table["default"],
        **{name: value for name, value in row.items() if name in VARS},
        **best,
        **given,
    }
    if "source" not in chosen:
        sys.exit(f"{corpus} needs --vars.source FOLDER: {row['wanted']}.")
    if "sentences" in row:
        chosen.setdefault("steps", recipe.count_steps(row["sentences"]))
    chosen.setdefault("warmup", ceil(recipe.warmup * chosen["steps"]))
    # A head over a frozen Hero learns so fast that to evaluate it costs as much as to train it.
    evaluations = 20 if recipe.trains_hero else recipe.epochs
    chosen.setdefault("eval_frequency", max(50, chosen["steps"] // evaluations))
    return chosen


def find_recipe(name: str) -> Recipe:
    """The recipe of that name; exit if there is none."""
    try:
        return read_recipe(name)
    except RecipeError as error:
        sys.exit(f"--vars.recipe: {error}")


def best_of_paper(paper: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The paper's windows and rate for a corpus and a fusion; one rate for all weights."""
    best = paper.get(given.get("fusion")) or paper.get("mlp", {})
    rates = [given[name] for name in ("hero_learn_rate", "learn_rate") if name in given]
    rate = next(iter(rates), best.get("learn_rate"))
    return {**best, **({} if rate is None else {"hero_learn_rate": rate, "learn_rate": rate})}


if __name__ == "__main__":
    main()
