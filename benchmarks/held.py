"""What does a Doc hold on to after the pipeline, and what does importing spacy_hgn cost?

    python benchmarks/held.py [--hero minilm|mpnet|FOLDER]

``list(nlp.pipe(50,000 short texts))`` with configs/hgn.cfg's components; and the modules that
``import spacy_hgn`` adds to ``import spacy``.
"""

import gc
import subprocess
import sys
from itertools import cycle, islice
from typing import Any

from common import hgn_pipeline, spacy_examples, wnut17, write_results
from long_doc import resident
from spacy.language import Language
from spacy.tokens import Doc

from spacy_hgn.backend.memory import give_back_freed

TEXTS = 50_000
WORDS = 5
HEAVY = ("torch", "transformers", "pandas", "thinc.shims.pytorch", "spacy_transformers")
IMPORT = """
import sys, spacy
before = set(sys.modules)
import spacy_hgn
added = set(sys.modules) - before
print(len(added), *sorted(name for name in {heavy} if name in added))
"""


def main() -> None:
    """Measure both."""
    texts = wnut17("wnut17train.conll")
    nlp = hgn_pipeline("auto")
    nlp.add_pipe("doc_cleaner", config={"attrs": {"tensor": None, "_.trf_data": None}})
    nlp.initialize(lambda: spacy_examples(nlp, texts[:200]))
    words = [[token.text for token in doc][:WORDS] for doc in texts]
    write_results("held", {"Docs": held(nlp, words), "import spacy_hgn": imported()})


def held(nlp: Language, words: list[list[str]]) -> dict[str, float]:
    """Memory that bare Docs take, and what the pipeline leaves on them.

    Between the first and the second half of all Docs, with freed memory given back: what the
    pipeline itself needs, and what the C library keeps for its next calls, is not the Docs'.
    """
    bare = [Doc(nlp.vocab, words=w) for w in islice(cycle(words), TEXTS // 2)]
    docs = list(nlp.pipe(bare))
    half = in_use()
    more = [Doc(nlp.vocab, words=w) for w in islice(cycle(words), TEXTS // 2)]
    of_bare = in_use() - half
    docs += nlp.pipe(more)
    return {
        "texts": len(docs),
        "words a text": WORDS,
        "KiB a bare Doc": kib_a_doc(of_bare),
        "KiB that the pipeline adds": kib_a_doc(in_use() - half - of_bare),
        "Docs with vectors": sum(has_vectors(doc) for doc in docs),
    }


def in_use() -> float:
    """Resident memory in MiB, without what is free but not yet given back."""
    gc.collect()
    give_back_freed()
    return resident("VmRSS")


def kib_a_doc(mib: float) -> float:
    return round(1024 * mib / (TEXTS // 2), 2)


def has_vectors(doc: Doc) -> bool:
    """Whether a tensor is left on the Doc."""
    return doc._.trf_data is not None or (doc.tensor is not None and len(doc.tensor) > 0)


def imported() -> dict[str, Any]:
    """Modules that ``import spacy_hgn`` adds to ``import spacy``."""
    code = IMPORT.format(heavy=HEAVY)
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    added, *heavy = output.stdout.split()
    return {"modules added": int(added), "heavy ones": heavy}


if __name__ == "__main__":
    main()
