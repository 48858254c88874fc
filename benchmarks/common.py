"""What the benchmarks share: the Hero, texts, timing side by side, a results file with the machine.

Each that has a Hero takes ``--hero minilm``, ``--hero mpnet`` or ``--hero FOLDER``.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_hgn.backend.torch_shim import has_fast_bfloat16
from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.util.environment import describe_software, processor

ROOT = Path(__file__).parent.parent


def find_hero(name: str) -> Path:
    """A folder, or a Hero's in hero/ by its name."""
    return Path(name) if Path(name).is_dir() else ROOT / "hero" / name


HERO_OPTION = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
HERO_OPTION.add_argument(
    "--hero", type=find_hero, default="minilm", help="minilm (if not said), mpnet or a folder"
)
HERO: Path = HERO_OPTION.parse_known_args()[0].hero


def wnut17(part: str) -> list[Doc]:
    """The Docs of a part of WNUT 2017: wnut17train.conll, emerging.test.annotated."""
    folder = os.environ.get("HGN_ASSETS")
    if not folder:
        sys.exit("Set HGN_ASSETS to the folder that holds wnut17/ (see the README).")
    path = Path(folder) / "wnut17" / part
    return list(read_corpus(path, spacy.blank("en")).docs)


def spacy_examples(nlp: Language, docs: Sequence[Doc]) -> list[Example]:
    """Examples that keep the corpus's tokens."""
    return [Example(Doc(nlp.vocab, words=[t.text for t in doc]), doc) for doc in docs]


def check_hero(hero: Path) -> None:
    """Exit unless the Hero is there."""
    if not hero.exists():
        sys.exit(f"There is no {hero}: run python scripts/fetch_hero.py {hero.name} first.")


def hero_config(architecture: str, hero: Path = HERO, **settings: Any) -> dict[str, Any]:
    """The config of a ``transformer`` over the Hero."""
    check_hero(hero)
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}
    model = {"@architectures": architecture, "name": str(hero), "get_spans": spans, **settings}
    return {"model": model}


def hgn_pipeline(precision: str, hero: Path = HERO, **model: Any) -> Language:
    """A pipeline of the Hero and hgn_ner, to be initialized."""
    nlp = spacy.blank("en")
    config = hero_config("spacy-hgn.TransformerModel.v1", hero, precision=precision)
    nlp.add_pipe("transformer", config=config)
    nlp.add_pipe("hgn_ner", config={"model": {"precision": precision, **model}})
    return nlp


def spacy_pipeline(hero: Path = HERO) -> Language:
    """What a spaCy user runs today: transformer and ner, as spaCy's quickstart writes them."""
    nlp = spacy.blank("en")
    config = hero_config(
        "spacy-transformers.TransformerModel.v3",
        hero,
        tokenizer_config={"use_fast": True},
        transformer_config={},
        mixed_precision=False,
        grad_scaler_config={},
    )
    nlp.add_pipe("transformer", config=config)
    listener = {
        "@architectures": "spacy-transformers.TransformerListener.v1",
        "grad_factor": 1.0,
        "pooling": {"@layers": "reduce_mean.v1"},
    }
    parser = {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner",
        "extra_state_tokens": False,
        "hidden_width": 64,
        "maxout_pieces": 2,
        "use_upper": False,
        "tok2vec": listener,
    }
    nlp.add_pipe("ner", config={"model": parser})
    return nlp


def side_by_side(candidates: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each, run in turns, after one run to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()
    for _ in range(rounds):
        for name, run in candidates.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "torch threads": torch.get_num_threads(),
        "bfloat16 instructions": has_fast_bfloat16(torch.device("cpu")),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(terse=True),
        **describe_software(),
    }


def write_results(name: str, results: Any) -> None:
    """Write benchmarks/results/NAME.json, or NAME-HERO.json for another than MiniLM; show it."""
    stem = name if HERO.name == "minilm" else f"{name}-{HERO.name}"
    path = ROOT / "benchmarks" / "results" / f"{stem}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "results": results}, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    print(f"Written to {path.relative_to(ROOT)}")
