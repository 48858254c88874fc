"""Build a pipeline from a corpus of configs/corpora.yml: from its files to an installed package.

Looks the corpus up, fetches what it needs, writes the config of its training and runs the
project's workflow ``build``. The commands demo, wnut17 ... of project.yml are this script.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import fetch_assets
import fetch_hero
import srsly
from confection import Config

PROJECT = Path(__file__).parent.parent


def widths(text: str) -> list[int]:
    """Those of windows, in brackets: ``[3, 5, 7]``, or ``[]``."""
    return [int(width) for width in text.strip("[] ").split(",") if width.strip()]


# What can be chosen: of project.yml's vars those that the steps of its workflow build use, and
# of the training's settings each with its place in configs/hgn.cfg.
STEPS = {"name": str, "version": str, "lang": str, "source": str, "data": str, "gpu": int}
TRAINING = {
    "lang": (str, "nlp.lang"),
    "hero": (str, "vars.hero"),
    "hero_learn_rate": (float, "vars.hero_learn_rate"),
    "learn_rate": (float, "vars.learn_rate"),
    "windows": (widths, "components.hgn_ner.model.windows"),
    "recurrence": (str, "components.hgn_ner.model.recurrence"),
    "fusion": (str, "components.hgn_ner.model.fusion"),
    "steps": (int, "training.max_steps"),
    "warmup": (int, "vars.warmup_steps"),
    "eval_frequency": (int, "training.eval_frequency"),
    "seed": (int, "system.seed"),
}


def main() -> None:
    """Build the pipeline of CORPUS. An option with an empty value counts as not given."""
    table = srsly.read_yaml(PROJECT / "configs" / "corpora.yml")
    given = parse_arguments(sys.argv[1:], list(table["corpora"]))
    chosen = choose(table, given.pop("corpus"), given)
    if chosen["hero"] == table["default"]["hero"]:
        fetch_hero.main()
    for asset in fetch_assets.find_assets(chosen["source"]):
        fetch_assets.fetch(asset)
    if not (PROJECT / chosen["source"]).is_dir():
        sys.exit(
            f"{chosen['source']}: expected a folder that holds the train, dev and test parts. Name "
            "one: --vars.source FOLDER."
        )
    write_config(chosen)
    build = [sys.executable, "-m", "spacy", "project", "run", "build", str(PROJECT)]
    for name in STEPS:
        if name in chosen:
            build += [f"--vars.{name}", str(chosen[name])]
    sys.exit(subprocess.run(build).returncode)


def parse_arguments(words: list[str], corpora: list[str]) -> dict[str, Any]:
    """The corpus and what is given for it."""
    parser = argparse.ArgumentParser(
        description=main.__doc__, argument_default=argparse.SUPPRESS, allow_abbrev=False
    )
    parser.add_argument("corpus", choices=corpora)
    types = {**STEPS, **{name: read for name, (read, _) in TRAINING.items()}}
    for name, read in types.items():
        parser.add_argument(f"--{name}", type=read)
    empty = {f"--{name}=" for name in types}  # project.yml hands on all vars, given or not
    return vars(parser.parse_args([word for word in words if word not in empty]))


def choose(table: dict[str, Any], corpus: str, given: dict[str, Any]) -> dict[str, Any]:
    """What is given, and for the rest what the table says; exit where that isn't enough."""
    row = table["corpora"][corpus]
    paper = row.get("paper", {})
    if given.get("hero") == "paper":
        if not paper:
            sys.exit(f"--vars.hero paper: {corpus} isn't in the paper. Name a Hero.")
        given = {**given, "hero": paper["heroes"][0]}
    first = {**table["default"], **given}
    chosen = {
        "name": f"hgn_{corpus.replace('-', '_')}",
        "data": f"{row['title']} ({row['licence']})" if "licence" in row else row["title"],
        **table["default"],
        **{name: value for name, value in row.items() if name in STEPS or name in TRAINING},
        **(paper.get(first["fusion"]) or paper.get("mlp", {})),
        **table["heroes"].get(first["hero"], {}),
        **given,
    }
    if "source" not in chosen:
        sys.exit(f"{corpus} needs --vars.source FOLDER: {row['wanted']}.")
    chosen.setdefault("warmup", -(-chosen["steps"] // 10))
    chosen.setdefault("eval_frequency", max(50, chosen["steps"] // 20))
    return chosen


def write_config(chosen: dict[str, Any]) -> None:
    """Write configs/hgn.cfg with the settings that are chosen to training/NAME.cfg."""
    overrides = {place: chosen[name] for name, (_, place) in TRAINING.items() if name in chosen}
    config = Config().from_disk(
        PROJECT / "configs" / "hgn.cfg", interpolate=False, overrides=overrides
    )
    path = PROJECT / "training" / f"{chosen['name']}.cfg"
    path.parent.mkdir(exist_ok=True)
    config.to_disk(path)


if __name__ == "__main__":
    main()
