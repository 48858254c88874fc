"""Does a pipeline forget its old labels when it learns a new one?

    python benchmarks/updating.py PIPELINE

PIPELINE: a folder, trained on WNUT 2017 (``python -m spacy project run wnut17``). It learns
Disease from sentences of BC5CDR in which nothing else is annotated: by updates alone, and with a
rehearsal on WNUT's training texts, without their gold, after each. Once the Hero is inside of
hgn_ner, so that it is trained and rehearsed too, and once it is frozen.
"""

import os
import sys
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import spacy
from common import spacy_examples, wnut17, write_results
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from thinc.api import fix_random_seed

from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.corpora.formats import read_corpus

LABEL = "Disease"
STEPS = 60
BATCH = 16
SCORED = 500
"""Sentences of each test part."""
RATES = {"learn_rate": 5e-4, "hero_learn_rate": 5e-5}


def main() -> None:
    """Update the pipeline in each way and score it on both test parts."""
    folder = sys.argv[1]
    scored = {"old": wnut17("emerging.test.annotated"), LABEL: diseases("test.tsv")}
    scored = {name: docs[:SCORED] for name, docs in scored.items()}
    results = {"before": scores(spacy.load(folder), scored)}
    for frozen in (False, True):
        for rehearses in (False, True):
            hero = "Hero frozen" if frozen else "Hero trained"
            name = f"{hero}, {'with' if rehearses else 'without'} rehearsal"
            start = time.perf_counter()
            results[name] = scores(updated(folder, frozen, rehearses), scored)
            print(f"{name}: {results[name]}, {time.perf_counter() - start:.0f} s", flush=True)
    write_results("updating", results)


def diseases(part: str) -> list[Doc]:
    """A part of BC5CDR's diseases."""
    path = Path(os.environ["HGN_ASSETS"]) / "bc5cdr-disease" / part
    return list(read_corpus(path, spacy.blank("en")).docs)


def updated(folder: str, frozen: bool, rehearses: bool) -> Language:
    """The pipeline after it has learnt the new label."""
    fix_random_seed(0)
    nlp = spacy.load(folder)
    if not frozen:
        nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
        nlp.remove_pipe("transformer")
    ner = nlp.get_pipe("hgn_ner")
    ner.add_label(LABEL)
    optimizer = nlp.resume_training(sgd=AdamW(**RATES))
    hero = ["transformer"] if frozen else []
    old = batches(nlp, wnut17("wnut17train.conll"))
    for batch in islice(batches(nlp, diseases("train.tsv")), STEPS):
        nlp.update(batch, sgd=optimizer, exclude=hero, annotates=hero)
        if rehearses:
            remembered = next(old)
            for name in hero:
                list(nlp.get_pipe(name).pipe(example.predicted for example in remembered))
            ner.rehearse(remembered, sgd=optimizer)
    return nlp


def batches(nlp: Language, docs: list[Doc]) -> Iterator[list[Example]]:
    """Batches without end."""
    for batch in minibatch(cycle(docs), size=BATCH):
        yield spacy_examples(nlp, batch)


def scores(nlp: Language, scored: dict[str, list[Doc]]) -> dict[str, float]:
    """F1 of the old labels, where the new one is wrong, and of the new one."""
    old = nlp.evaluate(spacy_examples(nlp, scored["old"]))
    new = nlp.evaluate(spacy_examples(nlp, scored[LABEL]))
    of_label = new["ents_per_type"].get(LABEL, {"f": 0.0})
    return {"old labels": round(100 * old["ents_f"], 2), LABEL: round(100 * of_label["f"], 2)}


if __name__ == "__main__":
    main()
