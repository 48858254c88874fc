"""Build a pipeline from a corpus of configs/corpora.yml: from its files to an installed package.

Looks the corpus up, fetches what it needs and runs the project's workflow ``build``. The commands
demo, wnut17 ... of project.yml are this script.
"""

import argparse
import subprocess
import sys
from typing import Any

import fetch_assets
import fetch_hero
import srsly
from write_config import PROJECT, VARS, check_names, make_overrides, parse_vars

from spacy_hgn.corpora.assets import list_assets
from spacy_hgn.training.init_config import MULTILINGUAL, describe_foreign_hero
from spacy_hgn.training.recipes import DEFAULT, FROZEN, Recipe, RecipeError, read_recipe


def main() -> None:
    """Build the pipeline of CORPUS. An option with an empty value counts as not given."""
    table = srsly.read_yaml(PROJECT / "configs" / "corpora.yml")
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    parser.add_argument("corpus", choices=list(table["corpora"]))
    given = parse_vars(parser)
    corpus = given.pop("corpus")
    chosen = choose(table, corpus, given)
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
    if status := subprocess.run(build).returncode:
        sys.exit(status)
    print(describe_result(corpus, {"lang": "en", "version": "0.1.0", **chosen}))


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
        "data": row["title"],
        **table["default"],
        **{name: value for name, value in row.items() if name in VARS},
        **best,
        **given,
    }
    if "source" not in chosen:
        sys.exit(f"{corpus} needs --vars.source FOLDER: {row['wanted']}.")
    return chosen


def describe_result(corpus: str, chosen: dict[str, Any]) -> str:
    """What was built, where it is, how to use it and what to do next."""
    name, version = chosen["name"], chosen["version"]
    package = f"{chosen['lang']}_{name}"
    meta = srsly.read_json(PROJECT / "training" / name / "calibrated" / "meta.json")
    test = srsly.read_json(PROJECT / "metrics" / f"{name}.json")
    scores = {"dev": meta["performance"]["ents_f"], "test": test["ents_f"]}
    f1 = ", ".join(f"{score:.2%} on {part}" for part, score in scores.items() if score is not None)
    improve, *more = list_advice(corpus, chosen)
    return "\n".join(
        [
            f"\n{package} {version} is trained, packaged and installed.\n",
            f"F1       {f1}",
            f"Page     metrics/{name}.html: open it in a browser",
            f"Wheel    packages/{package}-{version}/dist/{package}-{version}-py3-none-any.whl",
            f'Use it   import spacy; nlp = spacy.load("{package}")',
            f"Improve  {improve}",
            *(f"         {each}" for each in more),
        ]
    )


def list_advice(corpus: str, chosen: dict[str, Any]) -> list[str]:
    """What to try next, the most promising first."""
    advice = []
    if corpus == "custom":
        advice.append("Annotate more sentences, of types with a low F1 first.")
    if describe_foreign_hero(chosen["hero"], chosen["lang"]):
        advice.append(f"Take a Hero that reads the language: --vars.hero {MULTILINGUAL}")
    elif chosen["hero"] == fetch_hero.locate("minilm"):
        advice.append("Take a larger Hero: --vars.hero mpnet")
    if chosen.get("recipe") != FROZEN:
        advice.append("Without a GPU, don't train a large Hero itself: --vars.frozen true")
    if corpus != "custom":
        custom = "python -m spacy project run custom . --vars.source FOLDER --vars.name NAME"
        advice.append(f"Train on files of your own: {custom}")
    return advice


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
