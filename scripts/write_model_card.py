"""Write a trained pipeline's model card (README.md) and its meta.json."""

import argparse
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import spacy
import srsly
from train import ABOUT_0, ADVICE

from spacy_hgn.corpora.stats import Counts, count_parts
from spacy_hgn.training.recipes import FROZEN_HERO


def main() -> None:
    """Describe a pipeline: what it was trained on, how, and what it scores per type."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", type=Path, help="folder of the trained pipeline")
    parser.add_argument("metrics", type=Path, help="what spacy evaluate wrote for test")
    parser.add_argument("calibration", type=Path, help="what spacy hgn calibrate wrote")
    parser.add_argument("contribution", type=Path, help="what spacy hgn contribution wrote")
    parser.add_argument("corpus", type=Path, help="folder with train, dev and test .spacy files")
    parser.add_argument("--name", required=True)
    parser.add_argument("--package-version", required=True)
    parser.add_argument("--data", required=True, help="title and licence of the corpus")
    args = parser.parse_args()
    scores, counts = srsly.read_json(args.metrics), count_parts(args.corpus)
    if counts["test"].entities and scores["ents_f"] < ABOUT_0:
        sys.exit(f"Not packaged: F1 on test is {scores['ents_f']:.2%}. {ADVICE}")
    meta = srsly.read_json(args.model / "meta.json")
    meta.update(
        name=args.name,
        version=args.package_version,
        description=f"Named entities with the Hero-Gang Neural model, trained on {args.data}",
        sources=[{"name": args.data}],
    )
    srsly.write_json(args.model / "meta.json", meta)
    config = spacy.util.load_config(args.model / "config.cfg", interpolate=True)
    parts = [title(meta), use(meta), trained_on(counts, args.data), settings(config)]
    parts += windows(srsly.read_json(args.contribution)["contribution"])
    parts += [results(scores), calibration(srsly.read_json(args.calibration)), versions()]
    (args.model / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf8")


def title(meta: dict[str, Any]) -> str:
    """Name and description."""
    return f"# {meta['lang']}_{meta['name']} {meta['version']}\n\n{meta['description']}."


def use(meta: dict[str, Any]) -> str:
    """How to load the pipeline, and its labels."""
    labels = ", ".join(f"`{label}`" for label in meta["labels"]["hgn_ner"])
    package = f"{meta['lang']}_{meta['name']}"
    return f"""```python
import spacy

nlp = spacy.load("{package}")
doc = nlp("Some text.")
print([(ent.text, ent.label_) for ent in doc.ents])
```

Entity types: {labels}."""


def trained_on(counts: Mapping[str, Counts], data: str) -> str:
    """The corpus and the size of its parts."""
    rows = [f"Trained on {data}: on train alone, the checkpoint chosen on dev, test read once."]
    rows += ["", f"| part | {counts['train'].unit} | tokens | entities |", "|---|---:|---:|---:|"]
    for part, counted in counts.items():
        rows.append(
            f"| {part} | {counted.sentences:,} | {counted.tokens:,} | {counted.entities:,} |"
        )
    return "## Data\n\n" + "\n".join(rows)


def settings(config: dict[str, Any]) -> str:
    """The Hero, the Gang and the training, from the pipeline's config."""
    ner = config["components"]["hgn_ner"]
    model = ner["model"]
    training = config["training"]
    return f"""## Model and training

| setting | value |
|---|---|
| recipe | {config["vars"].get("recipe", "of its own")} |
| Hero | {hero(config["components"]["transformer"]["model"])} |
| windows | {model["windows"]} |
| recurrence | {model["recurrence"]} |
| fusion | {model["fusion"]} |
| heads | {model.get("members", 1)} |
| tag scheme, decoder | {ner["tag_scheme"]}, {ner["decoder"]} |
| dropout | {training["dropout"]} |
| steps | {training["max_steps"]} |
| seed | {training["seed"]} |"""


def hero(model: dict[str, Any]) -> str:
    """The Hero's name, and whether it was trained."""
    name = Path(str(model["name"])).name
    if model["@architectures"] != FROZEN_HERO:
        return name
    layers, pooling = model["layers"], model["pooling"]
    return f"{name}, frozen; layers: {layers}, pooling: {pooling}"


def windows(contribution: dict[str, float] | None) -> list[str]:
    """How much the windows say beside the Hero; nothing where there are none."""
    if contribution is None:
        return []
    f1, silenced = (contribution[name] for name in ("f1", "silenced"))
    return [
        f"""## Windows

What the windows bring is {contribution["share"]:.1%} of a token's vector, by its length (on dev).
F1 on dev is {f1:.2%} with them, and {silenced:.2%} with vectors of zeros in their place."""
    ]


def results(scores: dict[str, Any]) -> str:
    """Precision, recall and F1 on test: micro, then per type."""
    rows = ["| type | P | R | F1 |", "|---|---:|---:|---:|"]
    rows.append(row("**all (micro)**", scores["ents_p"], scores["ents_r"], scores["ents_f"]))
    for label, prf in sorted((scores["ents_per_type"] or {}).items()):
        rows.append(row(label, prf["p"], prf["r"], prf["f"]))
    return "## Results on test\n\nOver whole entities, exact borders and type.\n\n" + "\n".join(
        rows
    )


def calibration(report: dict[str, Any]) -> str:
    """How far the scores of entities can be trusted, before and after calibration."""
    test = report["parts"]["test"]
    before, after = test["before"], test["after"]
    rows = ["| score | entities | mean score | right |", "|---|---:|---:|---:|"]
    for each in after["bins"]:
        numbers = f"{each['count']:,} | {each['score']:.2f} | {each['right']:.2f}"
        rows.append(f"| {each['low']:.1f} to {each['high']:.1f} | {numbers} |")
    table = "\n".join(rows)
    reason = report.get("not_calibrated")
    fitted = "fitted on dev" if reason is None else f"not calibrated: {reason}"
    return f"""## Scores

`ent._.score` is the probability of an entity, with its borders and type. Its expected calibration
error on test is {before["ece"]:.3f} as trained and {after["ece"]:.3f} as packaged, with the
temperature {report["temperature"]["after"]:.2f} ({fitted}). Of {test["entities"]:,} entities
{test["right"]:,} are right, and their scores have the mean {after["score"]:.2f} (as trained:
{before["score"]:.2f}).

![The share of entities that is right for each score](reliability.svg)

{table}"""


def row(label: str, *values: float | None) -> str:
    """A line of the table of results, in per cent."""
    return (
        f"| {label} | " + " | ".join("-" if v is None else f"{v:.2%}"[:-1] for v in values) + " |"
    )


def versions() -> str:
    """What it was trained with."""
    packages = ["spacy-hgn", "spacy", "spacy-transformers", "thinc", "transformers", "torch"]
    return "## Versions\n\nTrained with " + ", ".join(f"{p} {version(p)}" for p in packages) + "."


if __name__ == "__main__":
    main()
