"""A short training of MiniLM: how well it learns, and what that comes to on a CPU.

cd tests; OMP_NUM_THREADS=1 python -m gpu.learning ../hero/minilm 0 1 2 3 4
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import minibatch
from thinc.api import fix_random_seed

from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.corpora.formats import read_corpus

SAMPLE = Path(__file__).parent.parent.parent / "assets" / "sample"
SPANS = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 128, "stride": 96}
SENTENCES = 960
EPOCHS = 2


def learn(hero: str, seed: int) -> float:
    """Train on part of the sample corpus, by default settings; returns the F1 on its dev part."""
    fix_random_seed(seed)
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-hgn.TransformerModel.v1", "name": hero, "get_spans": SPANS}
    nlp.add_pipe("transformer", config={"model": model})
    nlp.add_pipe("hgn_ner")
    examples = list(read(nlp, "train.tsv"))[:SENTENCES]
    nlp.initialize(lambda: examples)
    optimizer = AdamW(2e-3, 3e-4)
    for _ in range(EPOCHS):
        for batch in minibatch(examples, 32):
            nlp.update(batch, drop=0.1, sgd=optimizer)
    return nlp.evaluate(list(read(nlp, "dev.tsv")))["ents_f"]


def read(nlp: Language, name: str) -> Iterator[Example]:
    """The sentences of a part of the sample corpus."""
    for doc in read_corpus(SAMPLE / name, nlp).docs:
        yield Example(Doc(nlp.vocab, words=[token.text for token in doc]), doc)


if __name__ == "__main__":
    hero, *seeds = sys.argv[1:]
    for seed in seeds:
        begin = time.perf_counter()
        print(seed, f"{learn(hero, int(seed)):.4f}", f"{time.perf_counter() - begin:.0f} s")
