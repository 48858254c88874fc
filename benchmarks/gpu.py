"""How fast is it on a GPU: whole pipelines beside spaCy's, and the Gang beside its Hero?

    python benchmarks/gpu.py [--only pipelines|gang|large] [minilm|mpnet|FOLDER ...]

Pipelines: words a second of ``nlp.pipe`` over WNUT 2017's test part, Docs made beforehand, each
pipeline with the batch size that suits it best, and of updates in batches of 32, for each Hero
(MiniLM without any), then for one of BERT-large's shape with random weights.

Gang: beside that Hero and beside cuDNN's LSTM over packed windows, at d = 1024, windows 5, 7, 9,
on 32 texts of 24 and of 128 tokens, forward, and forward and backward.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import spacy
import torch
from common import (
    HERO,
    HERO_OPTION,
    find_hero,
    hgn_pipeline,
    spacy_pipeline,
    wnut17,
    write_results,
)
from gang import WINDOWS, make_units, packed
from pipeline import start_training
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import set_gpu_allocator
from transformers import AutoTokenizer, BertConfig, BertModel

from spacy_hgn.backend.torch_shim import autocast
from spacy_hgn.gang.gang import Gang

LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}
LARGE_NAME = "BERT-large's shape"
BATCH_SIZES = (128, 512, 1000)
TRAINED_TEXTS = 320
ROUNDS = 5
CALLS = 20


def main() -> None:
    """Measure on the first GPU."""
    parser = argparse.ArgumentParser(parents=[HERO_OPTION])
    parser.add_argument("heroes", nargs="*", type=find_hero, default=[HERO])
    parser.add_argument("--only", choices=("pipelines", "gang", "large"))
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("There is no GPU that torch can use: this benchmark needs one.")
    spacy.require_gpu(0)
    set_gpu_allocator("pytorch")
    results: dict[str, Any] = {}
    if arguments.only in (None, "pipelines"):
        for hero in arguments.heroes:
            results[hero.name] = measure_pipelines(hero)
            write_results("gpu", results)
    if arguments.only in (None, "gang"):
        results["gang"] = measure_gang()
        write_results("gpu", results)
    if arguments.only in (None, "large"):
        with tempfile.TemporaryDirectory() as folder:
            results[LARGE_NAME] = measure_pipelines(make_large(arguments.heroes[0], Path(folder)))
        write_results("gpu", results)


def make_large(tokenizer: Path, folder: Path) -> Path:
    """Write a Hero of BERT-large's shape with random weights: for speed alone.

    tokenizer: folder of a Hero that has one.
    """
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    loaded.save_pretrained(folder)
    BertModel(BertConfig(vocab_size=len(loaded), **LARGE)).save_pretrained(folder)
    return folder


def measure_pipelines(hero: Path) -> dict[str, Any]:
    """Words a second, in turns; each beside spaCy's, and three windows beside none."""
    test = wnut17("emerging.test.annotated")
    train = wnut17("wnut17train.conll")[:TRAINED_TEXTS]
    pipelines = {
        "hgn": hgn_pipeline("auto", hero),
        "hgn, windows = []": hgn_pipeline("auto", hero, windows=[]),
        "spacy": spacy_pipeline(hero),
    }
    updates = {name: start_training(nlp, train) for name, nlp in pipelines.items()}
    trained = in_turns({name: timed(run) for name, run in updates.items()})
    sizes = {name: best_size(nlp, test) for name, nlp in pipelines.items()}
    predicted = in_turns(
        {
            name: lambda nlp=nlp, size=sizes[name]: predict(nlp, test, size)
            for name, nlp in pipelines.items()
        }
    )
    return {
        "prediction, words/s": speeds(predicted, test),
        "training, words/s": speeds(trained, train),
        "batch sizes": sizes,
    }


def speeds(seconds: dict[str, list[float]], docs: Sequence[Doc]) -> dict[str, Any]:
    """The median words a second of each pipeline, lowest, highest, and ratios of medians."""
    words = sum(map(len, docs))
    found: dict[str, Any] = {
        name: [round(words / s) for s in (statistics.median(of), max(of), min(of))]
        for name, of in seconds.items()
    }
    medians = {name: values[0] for name, values in found.items()}
    for name in seconds:
        found[f"{name} / spacy"] = round(medians[name] / medians["spacy"], 2)
    found["hgn / windows = []"] = round(medians["hgn"] / medians["hgn, windows = []"], 2)
    return found


def best_size(nlp: Language, docs: Sequence[Doc]) -> int:
    """The batch size with which a pipeline predicts fastest, after a pass to warm up."""
    predict(nlp, docs, BATCH_SIZES[0])
    seconds = {size: predict(nlp, docs, size) for size in BATCH_SIZES}
    return min(seconds, key=lambda size: seconds[size])


def predict(nlp: Language, docs: Sequence[Doc], size: int) -> float:
    """Seconds of a pass of ``nlp.pipe`` over Docs that hold nothing but their words."""
    bare = [Doc(nlp.vocab, words=[token.text for token in doc]) for doc in docs]
    return timed(lambda: [None for _ in nlp.pipe(bare, batch_size=size)])()


def timed(run: Callable[[], Any]) -> Callable[[], float]:
    """The same, telling its seconds till the GPU is done."""

    def call() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    return call


def in_turns(candidates: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Seconds of each round of each candidate, after one to warm up."""
    rounds = [{name: run() for name, run in candidates.items()} for _ in range(ROUNDS + 1)][1:]
    return {name: [each[name] for each in rounds] for name in candidates}


def measure_gang() -> dict[str, Any]:
    """Milliseconds of the Gang, its Hero, and cuDNN's LSTM."""
    device = torch.device("cuda")
    width = LARGE["hidden_size"]
    hero = BertModel(BertConfig(**LARGE), add_pooling_layer=False).to(device).eval()
    gang = Gang(width, WINDOWS, "lstm").to(device)
    units = make_units(width).to(device)
    results = {}
    for tokens in (24, 128):
        lengths = [tokens] * 32
        ids = torch.randint(1000, 2000, (32, tokens), device=device)
        z = torch.randn(32 * tokens, width, device=device, requires_grad=True)
        runs: dict[str, Callable[[], torch.Tensor]] = {
            "hero": lambda ids=ids: hero(input_ids=ids).last_hidden_state,
            "gang": lambda z=z, lengths=lengths: gang(z, lengths),
            "cudnn": lambda z=z, lengths=lengths: packed(z, lengths, units),
        }
        for precision in ("float32", "tf32", "bfloat16"):
            for way_back in (False, True):
                seconds = {n: time_of(run, precision, way_back) for n, run in runs.items()}
                direction = "forward and backward" if way_back else "forward"
                results[f"32 x {tokens}, {precision}, {direction}"] = {
                    **{f"{name}, ms": round(1000 * s, 2) for name, s in seconds.items()},
                    "gang / hero": round(seconds["gang"] / seconds["hero"], 3),
                    "cudnn / gang": round(seconds["cudnn"] / seconds["gang"], 2),
                }
    return results


def time_of(run: Callable[[], torch.Tensor], precision: str, way_back: bool) -> float:
    """Median seconds of a call, after three to warm up.

    float32 is without TF32 for all, although cuDNN would take it unasked.
    """
    allowed = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    setting = "float32" if allowed else precision

    def call() -> None:
        with autocast(setting, torch.device("cuda")), torch.set_grad_enabled(way_back):
            output = run()
        if way_back:
            output.float().sum().backward()

    seconds = [timed(call)() for _ in range(CALLS + 3)][3:]
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = False, True
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
