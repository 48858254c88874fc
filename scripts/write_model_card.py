"""Write a trained pipeline's model card (README.md) and its meta.json."""

import argparse
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import spacy
import srsly
from fetch_hero import full_name, hub_name
from huggingface_hub import EvalResult, ModelCardData
from train import ABOUT_0, ADVICE

from spacy_hgn.corpora.stats import Counts, count_parts
from spacy_hgn.training.recipes import FROZEN_HERO

LICENCES = ("mit", "apache-2.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "gpl-3.0")
"""Those that the Hugging Face hub knows by these names; to it, all others are "other"."""


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
    parser.add_argument("--data", required=True, help="title of the corpus")
    parser.add_argument("--licence", default="", help="of the corpus")
    args = parser.parse_args()
    test, counts = srsly.read_json(args.metrics), count_parts(args.corpus)
    if counts["test"].entities and test["ents_f"] < ABOUT_0:
        sys.exit(f"Not packaged: F1 on test is {test['ents_f']:.2%}. {ADVICE}")
    meta = srsly.read_json(args.model / "meta.json")
    meta.update(
        name=args.name,
        version=args.package_version,
        description=f"Named entities with the Hero-Gang Neural model, trained on {args.data}",
        license=args.licence,
        sources=[{"name": args.data, "license": args.licence}],
    )
    srsly.write_json(args.model / "meta.json", meta)
    config = spacy.util.load_config(args.model / "config.cfg", interpolate=True)
    scores = {"dev": meta["performance"], "test": test}
    parts = [front_matter(meta, config, scores), title(meta), use(meta), trained_on(counts, meta)]
    parts += [settings(config)]
    parts += windows(srsly.read_json(args.contribution)["contribution"])
    parts += [results(scores), calibration(srsly.read_json(args.calibration)), versions()]
    (args.model / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf8")


def front_matter(
    meta: dict[str, Any], config: dict[str, Any], scores: Mapping[str, dict[str, Any]]
) -> str:
    """What the Hugging Face hub reads of a card. scores: of dev and of test."""
    licence = meta["license"].lower().replace(" ", "-")
    card = ModelCardData(
        library_name="spacy",
        tags=["spacy", "token-classification", "named-entity-recognition"],
        pipeline_tag="token-classification",
        language="multilingual" if meta["lang"] == "xx" else meta["lang"],
        license=(licence if licence in LICENCES else "other") if licence else None,
        base_model=hub_name(config["components"]["transformer"]["model"]["name"]),
        model_name=f"{meta['lang']}_{meta['name']}",
        eval_results=[each for part in scores for each in figures(meta, part, scores[part])],
    )
    return f"---\n{card.to_yaml()}\n---"


def figures(meta: dict[str, Any], part: str, scores: dict[str, Any]) -> Iterator[EvalResult]:
    """The scores of a part, named as ``spacy huggingface-hub push`` names them."""
    names = {"precision": "Precision", "recall": "Recall", "f_score": "F Score"}
    for key, (type_, name) in zip(("ents_p", "ents_r", "ents_f"), names.items()):
        if scores[key] is not None:
            yield EvalResult(
                task_type="token-classification",
                task_name="NER",
                dataset_type=meta["name"],
                dataset_name=meta["sources"][0]["name"],
                dataset_split={"dev": "validation"}.get(part, part),
                metric_type=type_,
                metric_name=f"NER {name}",
                metric_value=scores[key],
            )


def title(meta: dict[str, Any]) -> str:
    """Name and description."""
    return f"# {meta['lang']}_{meta['name']} {meta['version']}\n\n{meta['description']}."


def use(meta: dict[str, Any]) -> str:
    """How to install and load the pipeline, and its labels."""
    labels = ", ".join(f"`{label}`" for label in meta["labels"]["hgn_ner"])
    package = f"{meta['lang']}_{meta['name']}"
    return f"""With `spacy-hgn` installed:

```
python -m pip install {package}-{meta["version"]}-py3-none-any.whl
```

```python
import spacy

nlp = spacy.load("{package}")
doc = nlp("Some text.")
print([(ent.text, ent.label_, ent._.score) for ent in doc.ents])
```

Entity types: {labels}."""


def trained_on(counts: Mapping[str, Counts], meta: dict[str, Any]) -> str:
    """The corpus, its licence and the size of its parts."""
    corpus = meta["sources"][0]
    licence = corpus["license"] or "not given; state it before you share the pipeline"
    rows = [
        f"Trained on {corpus['name']}. Only train was trained on. Dev chose the checkpoint. Test "
        "was used for the figures below and for nothing else.",
        "",
        f"Licence of the corpus: {licence}.",
    ]
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
    """The Hero's full name, and whether it was trained."""
    name = full_name(str(model["name"]))
    if model["@architectures"] != FROZEN_HERO:
        return name
    layers, pooling = model["layers"], model["pooling"]
    return f"{name}, frozen; layers: {layers}, pooling: {pooling}"


def windows(contribution: dict[str, float] | None) -> list[str]:
    """How much the windows contribute; empty without windows."""
    if contribution is None:
        return []
    f1, silenced = (contribution[name] for name in ("f1", "silenced"))
    return [
        f"""## Windows

What the windows bring is {contribution["share"]:.1%} of a token's vector, by its length (on dev).
F1 on dev is {f1:.2%} with them, and {silenced:.2%} with vectors of zeros in their place."""
    ]


def results(scores: Mapping[str, dict[str, Any]]) -> str:
    """F1 on dev; precision, recall and F1 on test: micro, then per type."""
    dev, test = scores["dev"], scores["test"]
    rows = ["| type | F1, dev | P, test | R, test | F1, test |", "|---|---:|---:|---:|---:|"]
    rows.append(
        row("**all (micro)**", dev["ents_f"], test["ents_p"], test["ents_r"], test["ents_f"])
    )
    by_type = {part: found["ents_per_type"] or {} for part, found in scores.items()}
    nothing = {"p": None, "r": None, "f": None}
    for label in sorted({*by_type["dev"], *by_type["test"]}):
        on_dev, on_test = (by_type[part].get(label, nothing) for part in ("dev", "test"))
        rows.append(row(label, on_dev["f"], on_test["p"], on_test["r"], on_test["f"]))
    return "## Results\n\nOver whole entities, exact boundaries and type.\n\n" + "\n".join(rows)


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

`ent._.score` is the probability of an entity, with its boundaries and type. Its expected
calibration error on test is {before["ece"]:.3f} as trained and {after["ece"]:.3f} as packaged,
with the temperature {report["temperature"]["after"]:.2f} ({fitted}). Of {test["entities"]:,}
entities {test["right"]:,} are right, and their scores have the mean {after["score"]:.2f} (as
trained: {before["score"]:.2f}).

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
