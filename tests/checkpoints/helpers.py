"""Tiny training runs, in this process and in others that are killed."""

import contextlib
import io
import multiprocessing
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import interruption
import spacy
from interruption import die, stop
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as train_nlp
from spacy.util import load_config
from thinc.api import Config

HGN = Path(__file__).parent.parent.parent / "configs" / "hgn.cfg"
CHECKPOINTS = "out/checkpoints"
META = "meta.json"

PEOPLE = ("Tim Cook", "Angela Merkel", "Maria", "Lionel", "Zoe", "Ada", "Karl Marx", "Ines")
CITIES = ("Lisbon", "New York", "Berlin", "Rome", "Zürich")
TEMPLATES = ("{} lives in {} .", "In {1} it rains , says {0} .", "{} has left {} for good .")

CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 16,
    "depth": 1,
    "embed_size": 100,
    "window_size": 1,
    "maxout_pieces": 2,
    "subword_features": True,
    "pretrained_vectors": None,
}


def write_corpus(path: Path, size: int, offset: int = 0) -> None:
    """Write made-up sentences with their entities and a tag for every token."""
    nlp = spacy.blank("xx")
    docs = DocBin()
    for i in range(offset, offset + size):
        person, city = PEOPLE[i % len(PEOPLE)], CITIES[i % len(CITIES)]
        doc = nlp.make_doc(TEMPLATES[i % len(TEMPLATES)].format(person, city))
        spans = []
        for name, label in ((person, "PERSON"), (city, "GPE")):
            start = doc.text.index(name)
            spans.append(doc.char_span(start, start + len(name), label=label))
        doc.set_ents(spans)
        for token in doc:
            token.tag_ = "X" if token.is_alpha else "."
        docs.add(doc)
    docs.to_disk(path)


def hero_config(hero: str, **overrides: Any) -> Config:
    """configs/hgn.cfg with a tiny Hero and a tagger, whose scores rise at once beside hgn_ner's,
    for 13 steps of 4 sentences in a folder with corpora."""
    settings = {
        "vars.hero": hero,
        "vars.warmup_steps": 2,
        "vars.learn_rate": 0.01,
        "paths.train": "train.spacy",
        "paths.dev": "dev.spacy",
        "training.max_steps": 12,
        "training.eval_frequency": 4,
        "training.batcher.size": 4,
        "components.hgn_ner.model.windows": [1, 3],
        "training.logger.@loggers": "spacy-hgn.Checkpoints.v1",
        "training.logger.path": CHECKPOINTS,
    }
    settings["nlp.pipeline"] = ["transformer", "tagger", "hgn_ner", "doc_cleaner"]
    config = load_config(HGN, overrides={**settings, **overrides}, interpolate=False)
    listener = config["components"]["hgn_ner"]["model"]["tok2vec"]
    config["components"]["tagger"] = make_tagger(listener)
    return config


def cnn_config(**overrides: Any) -> Config:
    """The same, but each component over a CNN of its own: most weights are Thinc's."""
    config = hero_config("none", **{"nlp.pipeline": ["tagger", "hgn_ner"]})
    del config["components"]["transformer"], config["components"]["doc_cleaner"]
    config["components"]["hgn_ner"]["model"]["tok2vec"] = CNN
    config["components"]["tagger"] = make_tagger(CNN)
    return Config().from_str(config.to_str(), overrides=overrides, interpolate=False)


def make_tagger(tok2vec: dict[str, Any]) -> dict[str, Any]:
    model = {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec, "nO": None}
    return {"factory": "tagger", "model": model}


def ending_in(place: str, call: int, end: Callable[[], None] = stop) -> AbstractContextManager:
    """End a run at the n-th call of a function in ``spacy_hgn.training.checkpoints``."""
    return interruption.ending_in(f"spacy_hgn.training.checkpoints.{place}", call, end)


def train(config: Config, output: Path | None = Path("out")) -> tuple[Language, str]:
    """What ``spacy train`` does, in this process. Returns the pipeline and what was printed."""
    if output is not None:
        output.mkdir(exist_ok=True)
    printed = io.StringIO()
    nlp, _ = train_nlp(init_nlp(config), output, stdout=printed, stderr=printed)
    return nlp, printed.getvalue()


def train_in_a_process(config: Path, folder: Path, *moments: tuple[str, int]) -> int:
    """``spacy train`` in a new process, which is killed where a moment says; its exit code.

    What it prints is in printed.txt.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spacy", "spacy_transformers", "spacy_hgn.hgn_ner", __name__])
    process = context.Process(target=_train, args=(config, folder, moments))
    process.start()
    process.join()
    return process.exitcode


def _train(config: Path, folder: Path, moments: list[tuple[str, int]]) -> None:
    os.chdir(folder)
    with contextlib.ExitStack() as stack:
        printed = stack.enter_context(open("printed.txt", "w", encoding="utf8"))
        stack.enter_context(contextlib.redirect_stdout(printed))
        for place, call in moments:
            stack.enter_context(ending_in(place, call, die))
        spacy.cli.train.train(config, "out")


def table(printed: str) -> list[str]:
    """The rows that spaCy's logger printed."""
    return [line for line in printed.splitlines() if line.strip()[:1].isdigit()]


def files(folder: Path) -> dict[str, bytes]:
    """All files of a pipeline's folder, but for its meta.json."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != META)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
