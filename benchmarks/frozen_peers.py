"""How do other libraries' heads do over a Hero that isn't trained: F1, minutes, words a second?

    python benchmarks/frozen_peers.py [--hero minilm|mpnet|FOLDER] [--corpus NAME] [--seeds 0 1]

Each candidate trains on a corpus's train part, keeps the epoch with the best F1 on dev, and finds
the entities of dev and test, on the corpus's own tokens. One scorer counts them for all, whole
entities (spacy_hgn.experiments.scores). Each is a process of its own, a script in peers/, one after
another on the same threads. Minutes are from a clean start, the Hero's passes and all evaluations
on dev included; words a second are those of ``predict`` over the test part, the median of three
passes in the batch size that suits it best.

- spacy_hgn: the recipe ``frozen``, all of its settings (peers/frozen_hgn.py). A committee of three
  heads beside it (peers/frozen_committee.py).
- flair: a frozen ``TransformerWordEmbeddings``, mean of all layers, LSTM of 256 and CRF, flair's
  own ``train``: SGD, 0.1 annealed, mini batches of 32, vectors kept in memory
  (peers/frozen_flair.py). Its epochs are ``--flair-epochs``, 30 if not said. It keeps vectors that
  it read with the Hero's dropout; once more without that (peers/frozen_flair_eval.py).
- spaCy: ``ner`` over a ``transformer`` that is frozen and annotates, spaCy's Adam 1e-3
  (peers/frozen_spacy.py). Its epochs are ``--spacy-epochs``, those of the recipe if not said.

Those with requirements beside their script run in a virtual environment under .venvs/, which the
first run makes; flair's is that of peers.py. ``--corpus`` takes the names in
experiments/frozen.yml; results of another than WNUT 2017 are in frozen_peers-CORPUS.
"""

import json
import statistics
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spacy
import torch
from common import HERO, HERO_OPTION, ROOT, check_hero, write_results
from environments import SCRIPTS, environment, last_words, variables
from spacy.tokens import Doc, DocBin, Span

from spacy_hgn.experiments.corpora import convert_corpus
from spacy_hgn.experiments.grid_file import GridError, read_grid_file
from spacy_hgn.experiments.scores import Mention, get_gold, get_predicted, score
from spacy_hgn.experiments.train import read_docs
from spacy_hgn.training.recipes import read_recipe

CORPORA = read_grid_file(ROOT / "experiments" / "frozen.yml").corpora
CACHE = ROOT / "corpus" / "experiments"
PARTS = ("train", "dev", "test")
Parts = dict[str, list[Doc]]


@dataclass(frozen=True)
class Candidate:
    """A library's frozen stack.

    script: in peers/, without its ending. requirements: the virtual environment that it runs in,
    by its file in peers/; none is the script's own, or this one.
    """

    script: str
    epochs: int
    requirements: str = ""


def main() -> None:
    """Train and measure all that can be installed and run."""
    settings = arguments()
    check_hero(HERO)
    torch.set_num_threads(settings.threads)  # for the results file
    parts = read_parts(settings.corpus, settings.sentences)
    epochs = read_recipe("frozen", len(parts["train"])).epochs
    candidates = {
        "spacy_hgn, frozen": Candidate("frozen_hgn", epochs),
        "spacy_hgn, frozen, three heads": Candidate("frozen_committee", epochs),
        "flair, frozen": Candidate("frozen_flair", settings.flair_epochs, "flair_tagger"),
        "flair, frozen, Hero without dropout": Candidate(
            "frozen_flair_eval", settings.flair_epochs, "flair_tagger"
        ),
        "spaCy ner, frozen transformer": Candidate("frozen_spacy", settings.spacy_epochs or epochs),
    }
    results: dict[str, Any] = {
        "hero": HERO.name,
        "corpus": settings.corpus,
        "sentences": {part: len(docs) for part, docs in parts.items()},
        "words": {part: count_words(docs) for part, docs in parts.items()},
        "threads": settings.threads,
        "peers": {},
        "skipped": {},
    }
    name = "frozen_peers" if settings.corpus == "wnut17" else f"frozen_peers-{settings.corpus}"
    with TemporaryDirectory() as folder:
        corpus = write_corpus(parts, Path(folder))
        for title, candidate in candidates.items():
            log = Path(folder) / f"{candidate.script}.log"
            print(f"{title}: {candidate.epochs} epochs; it logs to {log}", flush=True)
            for seed in settings.seeds:
                if answer := run(candidate, corpus, log, seed, settings.threads):
                    of_seeds = results["peers"].setdefault(title, {})
                    of_seeds[f"seed {seed}"] = describe(answer, candidate, parts)
                else:
                    results["skipped"][f"{title}, seed {seed}"] = last_words(log)
                if settings.sentences is None:
                    write_results(name, results)  # what there is so far
    if settings.sentences is not None:
        print(json.dumps(results, indent=2))
        print("A part of the corpus shows that everything works: nothing is written.")


def arguments() -> Namespace:
    parser = ArgumentParser(description="Compare heads over a frozen Hero.", parents=[HERO_OPTION])
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="wnut17")
    parser.add_argument("--flair-epochs", type=int, default=30)
    parser.add_argument("--spacy-epochs", type=int, help="if not said, those of the recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--sentences", type=int, help="the first N of each part alone, write no results"
    )
    return parser.parse_args()


def read_parts(corpus: str, sentences: int | None) -> Parts:
    """The first sentences of each part, or all. Exits if the corpus isn't there."""
    try:
        converted = convert_corpus(corpus, CORPORA[corpus], CACHE)
    except GridError as error:
        raise SystemExit(str(error)) from None
    nlp = spacy.blank("en")
    return {part: read_docs([converted.path(part)], nlp)[:sentences] for part in PARTS}


def write_corpus(parts: Parts, folder: Path) -> Path:
    """The folder that the scripts read: each part as JSON and as .spacy."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for part, docs in parts.items():
        DocBin(docs=docs).to_disk(corpus / f"{part}.spacy")
        sentences = [
            {"words": [token.text for token in doc], "entities": get_gold(doc)} for doc in docs
        ]
        (corpus / f"{part}.json").write_text(json.dumps(sentences))
    return corpus


def run(candidate: Candidate, corpus: Path, log: Path, seed: int, threads: int) -> dict[str, Any]:
    """What a candidate's script answers; empty where it fails."""
    log.touch()
    python = environment(candidate.requirements or candidate.script, log)
    if python is None:
        return {}
    script = SCRIPTS / f"{candidate.script}.py"
    settings = ["--epochs", str(candidate.epochs), "--seed", str(seed), "--threads", str(threads)]
    with TemporaryDirectory() as folder, log.open("a") as errors:
        done = subprocess.run(
            [python, script, corpus, HERO, folder, *settings],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=variables(threads),
        )
    return {} if done.returncode else json.loads(done.stdout)


def describe(answer: dict[str, Any], candidate: Candidate, parts: Parts) -> dict[str, Any]:
    """What was measured, and under which circumstances."""
    words = count_words(parts["test"])
    speeds = [words / seconds for seconds in answer["pass seconds"]]
    return {
        **{part: score_part(parts[part], answer[part]) for part in ("dev", "test")},
        "minutes to train": round(answer["seconds"] / 60, 2),
        "words/s": round(statistics.median(speeds)),
        "words/s, lowest and highest": [round(min(speeds)), round(max(speeds))],
        "batch": answer["batch"],
        "words/s by batch, warming up": answer["words/s by batch, warming up"],
        "epochs": candidate.epochs,
        **answer["told"],
        "versions": answer["versions"],
    }


def score_part(docs: Sequence[Doc], found: Sequence[Sequence[Mention]]) -> dict[str, Any]:
    """Precision, recall and F1 over whole entities, with their counts."""
    predicted = [
        get_predicted(annotate(doc, entities), doc)
        for doc, entities in zip(docs, found, strict=True)
    ]
    scores = score([get_gold(doc) for doc in docs], predicted)
    return {name: value for name, value in scores.items() if name != "types"}


def annotate(doc: Doc, entities: Sequence[Mention]) -> Doc:
    """A Doc of the same words with other entities."""
    copy = Doc(doc.vocab, words=[token.text for token in doc])
    copy.set_ents([Span(copy, start, end, label) for start, end, label in entities])
    return copy


def count_words(docs: Sequence[Doc]) -> int:
    return sum(map(len, docs))


if __name__ == "__main__":
    main()
