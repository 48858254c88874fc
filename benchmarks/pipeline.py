"""How fast is the whole pipeline beside spaCy's transformer and ner on the same Hero?

    python benchmarks/pipeline.py

Words a second of ``nlp.pipe`` over WNUT 2017's test part and of ``nlp.update`` over a part of
train. The heads are trained for a few steps only: speed doesn't depend on what they learnt.
"""

from collections.abc import Callable, Sequence

import spacy
from common import hgn_pipeline, side_by_side, spacy_pipeline, wnut17, write_results
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

PREDICTION_ROUNDS = 5
TRAINING_STEPS = 6
BATCH = 32


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
        "training": speeds(updates, sum(map(len, train)), rounds=2),
        "prediction": speeds(
            {name: predict(nlp, test) for name, nlp in pipelines.items()},
            sum(map(len, test)),
            PREDICTION_ROUNDS,
        ),
    }
    write_results("pipeline", results)


def start_training(nlp: Language, docs: Sequence[Doc]) -> Callable[[], None]:
    """Initialize the pipeline; a pass over the Docs in batches, each an update."""
    examples = [Example(spacy.tokens.Doc(nlp.vocab, words=[t.text for t in d]), d) for d in docs]
    optimizer = nlp.initialize(lambda: examples)
    if "hgn_ner" in nlp.pipe_names:
        settings = {"@optimizers": "spacy-hgn.AdamW.v1", "learn_rate": 1e-5}
        optimizer = spacy.util.registry.resolve({"optimizer": settings})["optimizer"]
    else:
        optimizer.learn_rate = 1e-5

    def run() -> None:
        for start in range(0, len(examples), BATCH):
            nlp.update(examples[start : start + BATCH], sgd=optimizer, drop=0.1)

    return run


def predict(nlp: Language, docs: Sequence[Doc]) -> Callable[[], None]:
    """A pass of ``nlp.pipe`` over Docs that hold nothing but their words."""
    words = [[token.text for token in doc] for doc in docs]

    def run() -> None:
        for _ in nlp.pipe(Doc(nlp.vocab, words=w) for w in words):
            pass

    return run


def speeds(candidates: dict[str, Callable[[], None]], words: int, rounds: int) -> dict[str, float]:
    """Words a second of each, and each beside spaCy's."""
    seconds = side_by_side(candidates, rounds)
    results = {f"{name}, words/s": round(words / s) for name, s in seconds.items()}
    for name, s in seconds.items():
        results[f"{name} / spacy, float32"] = round(seconds["spacy, float32"] / s, 2)
    return results


if __name__ == "__main__":
    main()
