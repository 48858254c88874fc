"""How fast is the whole pipeline beside spaCy's transformer and ner on the same Hero?

    python benchmarks/pipeline.py [--hero minilm|mpnet|FOLDER]

Words a second of ``nlp.pipe`` over WNUT 2017's test part and of ``nlp.update`` over a part of
train. The heads are trained for a few steps only: speed doesn't depend on what they learnt.
"""

from collections.abc import Callable, Sequence

import spacy
from common import (
    hgn_pipeline,
    side_by_side,
    spacy_examples,
    spacy_pipeline,
    wnut17,
    write_results,
)
from spacy.language import Language
from spacy.tokens import Doc

PREDICTION_ROUNDS = 3
TRAINING_STEPS = 10
TRAINING_ROUNDS = 3
BATCH = 32
BATCH_SIZES = (16, 64, 128)


def main() -> None:
    """Measure prediction, then training."""
    test, train = wnut17("emerging.test.annotated"), wnut17("wnut17train.conll")
    train = train[: BATCH * TRAINING_STEPS]
    pipelines = {
        "hgn, auto": hgn_pipeline("auto"),
        "hgn, float32": hgn_pipeline("float32"),
        "hgn, windows = []": hgn_pipeline("float32", windows=[]),
        "spacy, float32": spacy_pipeline(),
    }
    updates = {name: start_training(nlp, train) for name, nlp in pipelines.items()}
    results = {
        "training": speeds(updates, sum(map(len, train)), rounds=TRAINING_ROUNDS),
        "prediction": predictions(pipelines, test),
    }
    write_results("pipeline", results)


def start_training(nlp: Language, docs: Sequence[Doc]) -> Callable[[], None]:
    """Initialize the pipeline; a pass over the Docs in batches, each an update."""
    examples = spacy_examples(nlp, docs)
    optimizer = nlp.initialize(lambda: examples)
    if "hgn_ner" in nlp.pipe_names:
        settings = {"@optimizers": "spacy-hgn.AdamW.v1", "learn_rate": 1e-5}
        optimizer = spacy.util.registry.resolve({"optimizer": settings})["optimizer"]
    else:
        optimizer.learn_rate = 1e-5

    def run() -> None:
        for start in range(0, len(examples), BATCH):  # as spacy train does
            nlp.update(examples[start : start + BATCH], sgd=False, drop=0.1)
            for _, pipe in nlp.pipeline:
                pipe.finish_update(optimizer)

    return run


def predictions(pipelines: dict[str, Language], docs: Sequence[Doc]) -> dict[str, float]:
    """Words a second of each, with the batch size that suits it best in a first pass."""
    runs = {
        name: {f"{name}, batches of {size}": predict(nlp, docs, size) for size in BATCH_SIZES}
        for name, nlp in pipelines.items()
    }
    best = {}
    for candidates in runs.values():
        seconds = side_by_side(candidates, rounds=1)
        fastest = min(seconds, key=lambda name: seconds[name])
        best[fastest] = candidates[fastest]
    return speeds(best, sum(map(len, docs)), PREDICTION_ROUNDS)


def predict(nlp: Language, docs: Sequence[Doc], size: int) -> Callable[[], None]:
    """A pass of ``nlp.pipe`` over Docs that hold nothing but their words."""
    words = [[token.text for token in doc] for doc in docs]

    def run() -> None:
        for _ in nlp.pipe((Doc(nlp.vocab, words=w) for w in words), batch_size=size):
            pass

    return run


def speeds(candidates: dict[str, Callable[[], None]], words: int, rounds: int) -> dict[str, float]:
    """Words a second of each, and each beside spaCy's."""
    seconds = side_by_side(candidates, rounds)
    results = {f"{name}, words/s": round(words / s) for name, s in seconds.items()}
    (spacys,) = (s for name, s in seconds.items() if name.startswith("spacy"))
    for name, s in seconds.items():
        results[f"{name} / spacy"] = round(spacys / s, 2)
    return results


if __name__ == "__main__":
    main()
