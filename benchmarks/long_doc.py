"""How do time and memory grow with the length of one Doc?

    python benchmarks/long_doc.py [--hero minilm|mpnet|FOLDER]

WNUT 2017's training part, laid end to end, as one Doc of 1,000, 10,000 and 100,000 tokens, one
after the other in one fresh process. Memory is the process's highest resident set during
the call, above what it was when the pipeline had been loaded (Linux).
"""

import argparse
import re
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

import spacy
import srsly
from common import HERO_OPTION, hgn_pipeline, spacy_examples, wnut17, write_results
from spacy.language import Language
from spacy.tokens import Doc

LENGTHS = (1_000, 10_000, 100_000)
ROUNDS = 3


def main() -> None:
    """Make a pipeline; measure it in a process that has done nothing but load it."""
    texts = wnut17("wnut17train.conll")
    nlp = hgn_pipeline("auto")
    nlp.add_pipe("doc_cleaner", config={"attrs": {"_.trf_data": None}})
    nlp.initialize(lambda: spacy_examples(nlp, texts[:200]))
    with TemporaryDirectory() as folder:
        nlp.to_disk(folder)
        run([sys.executable, __file__, folder], check=True)
        results = srsly.read_json(Path(folder) / "results.json")
    middle, longest = (results[f"{length:,} tokens"] for length in LENGTHS[1:])
    results["100,000 / 10,000"] = {key: round(longest[key] / middle[key], 2) for key in middle}
    write_results("long_doc", results)


def measure(folder: Path) -> None:
    """Measure all lengths, shortest first, with the pipeline in the folder."""
    words = [token.text for doc in wnut17("wnut17train.conll") for token in doc]
    nlp = spacy.load(folder)
    loaded = resident("VmRSS")
    results = {}
    for length in LENGTHS:
        calls = [call(nlp, list(islice(cycle(words), length))) for _ in range(ROUNDS)]
        results[f"{length:,} tokens"] = {
            "seconds, best": round(min(seconds for seconds, _ in calls), 2),
            "peak MiB, highest": round(max(peak for _, peak in calls) - loaded),
        }
    srsly.write_json(folder / "results.json", results)


def call(nlp: Language, words: list[str]) -> tuple[float, float]:
    """Seconds and the highest resident set, in MiB, of one Doc."""
    doc = Doc(nlp.vocab, words=words)
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew
    start = time.perf_counter()
    nlp(doc)
    return time.perf_counter() - start, resident("VmHWM")


def resident(key: str) -> float:
    """A figure of this process's resident set, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"{key}:\s+(\d+) kB", status)[0]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[HERO_OPTION])
    parser.add_argument("pipeline", nargs="?", type=Path, help=argparse.SUPPRESS)
    pipeline = parser.parse_args().pipeline
    measure(pipeline) if pipeline else main()
