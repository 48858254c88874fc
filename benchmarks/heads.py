"""What do five heads over one frozen Hero cost, beside one head, and beside five pipelines?

    python benchmarks/heads.py [--hero minilm|mpnet|FOLDER] [--heads 5] [--texts 1287] [--rounds 3]

Words a second of ``nlp.pipe`` over WNUT 2017's test part. Heads are as the recipe "frozen" makes
them, not trained: speed doesn't depend on what they learnt. Fewer heads, texts or rounds than
these are written to results/heads-tried.json.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import spacy
from common import HERO_OPTION, hero_config, side_by_side, spacy_examples, wnut17, write_results
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import load_config

import spacy_hgn
from spacy_hgn.training.recipes import __path__ as recipes

HEADS = 5
ROUNDS = 3
BATCH = 128
EXAMPLES = 50
"""Of the training part, to set up a head."""


def main() -> None:
    """Measure all in turns, after checking that a head finds the same everywhere."""
    options = parse()
    docs = wnut17("emerging.test.annotated")[: options.texts]
    alone = make_pipeline()
    heads = [f"head{number}" for number in range(options.heads)]
    together = spacy.blank("en")
    together.add_pipe("transformer", source=alone)
    for name in heads:
        spacy_hgn.attach(together, alone, name=name, config={"overlap": True})
    pipelines = [copy_of(alone) for _ in heads]
    check(alone, together, heads, docs[:EXAMPLES])
    many = f"{options.heads} heads"
    candidates = {
        "one head": predict([alone], docs),
        f"{many} in one pipeline": predict([together], docs),
        f"{many} in {options.heads} pipelines": predict(pipelines, docs),
    }
    seconds = side_by_side(candidates, options.rounds)
    words = sum(map(len, docs))
    results: dict[str, Any] = {"texts": len(docs), "words": words, "rounds": options.rounds}
    results |= {f"{name}, words/s": round(words / s) for name, s in seconds.items()}
    one, joined, apart = seconds.values()
    results[f"{many} in one pipeline / one head, time"] = round(joined / one, 2)
    results["in one pipeline / in several, speed"] = round(apart / joined, 2)
    results["of a further head, share of one pipeline's time"] = round(
        (joined - one) / max(options.heads - 1, 1) / one, 3
    )
    is_whole = (options.heads, options.texts, options.rounds) == (HEADS, None, ROUNDS)
    write_results("heads" if is_whole else "heads-tried", results)


def parse() -> argparse.Namespace:
    """The options; the Hero is read by ``common``."""
    parser = argparse.ArgumentParser(parents=[HERO_OPTION])
    parser.add_argument("--heads", type=int, default=HEADS)
    parser.add_argument("--texts", type=int, help="the first ones; all, if not said")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    return parser.parse_args()


def make_pipeline() -> Language:
    """A frozen Hero and a head of the recipe, as trained pipelines are: initialized and stored."""
    recipe = load_config(f"{recipes[0]}/frozen.cfg", interpolate=False)["components"]
    hero = {k: v for k, v in recipe["transformer"]["model"].items() if k != "@architectures"}
    nlp = spacy.blank("en")
    config = hero_config("spacy-hgn.FrozenTransformer.v1", **hero)
    nlp.add_pipe("transformer", config=config)
    nlp.add_pipe("hgn_ner", config=recipe["hgn_ner"])
    examples = spacy_examples(nlp, wnut17("wnut17train.conll")[:EXAMPLES])
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=False)  # a head learns of the Hero's layers from their vectors
    return copy_of(nlp)


def copy_of(nlp: Language) -> Language:
    """The same pipeline, in which no training is expected: nothing is kept."""
    return spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())


def check(alone: Language, together: Language, heads: Sequence[str], docs: Sequence[Doc]) -> None:
    """Stop unless each of many heads finds what it finds alone."""
    for one, many in zip(alone.pipe(bare(alone, docs)), together.pipe(bare(together, docs))):
        expected = [(span.start, span.end, span.label_) for span in one.spans["hgn_ner"]]
        for name in heads:
            found = [(span.start, span.end, span.label_) for span in many.spans[name]]
            assert found == expected, (name, one.text)


def predict(pipelines: Sequence[Language], docs: Sequence[Doc]) -> Callable[[], None]:
    """A pass of each pipeline over Docs that hold nothing but their words."""

    def run() -> None:
        for nlp in pipelines:
            for _ in nlp.pipe(bare(nlp, docs), batch_size=BATCH):
                pass

    return run


def bare(nlp: Language, docs: Sequence[Doc]) -> list[Doc]:
    """Docs of the same words."""
    return [Doc(nlp.vocab, words=[token.text for token in doc]) for doc in docs]


if __name__ == "__main__":
    main()
