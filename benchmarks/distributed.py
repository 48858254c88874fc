"""How much faster do two processes train than one, and where does the rest go?

    python benchmarks/distributed.py [--steps 40] [--rounds 3] [--minutes 10] [--precision auto]

hgn_ner over MiniLM (or another ``--hero``), WNUT 2017's training part, one thread a process: one
process with batches of 32 against two ranks under ``torchrun`` with batches of 16 each, in turns. A
third candidate, two processes that know nothing of each other, shows what two busy cores cost each
other anyway.
No round begins that would end after so many minutes; results are written after each candidate.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch.distributed as dist
from common import HERO, HERO_OPTION, ROOT, check_hero, wnut17, write_results
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import load_config

from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.training.distributed.gradients import GradientSum

BATCH = 32
WARM_UP = 5
"""Steps that don't count."""
PARTS = {
    "forward and backward": "update",
    "waiting for the other rank": "wait",
    "all-reduce": "all_reduce",
    "copying gradients": "copy",
    "optimizer": "optimizer",
}


def main() -> None:
    """Run the candidates in turns."""
    arguments = _arguments()
    if arguments.worker:
        return work(Path(arguments.worker), Path(arguments.result))
    check_hero(HERO)
    with tempfile.TemporaryDirectory() as folder:
        configs = {n: write_config(Path(folder), n, arguments) for n in (1, 2)}
        candidates: dict[str, Callable[[int], list[dict[str, float]]]] = {
            "1 process": lambda i: start(configs[1], 1, [i]),
            "2 ranks": lambda i: start(configs[2], 2, [i]),
            "2 processes, each its own": lambda i: start(configs[1], 1, [i, i + 1]),
        }
        found: dict[str, list[list[dict[str, float]]]] = defaultdict(list)
        for i in rounds_in_time(arguments.rounds, arguments.minutes):
            for name, run in candidates.items():
                found[name].append(run(10 * i))
                print(name, json.dumps(found[name][-1]), flush=True)
                write_results("distributed", results(found, vars(arguments)))


def rounds_in_time(rounds: int, minutes: float) -> Iterator[int]:
    """Count rounds: the first, then those that end in time if they take as long as others did."""
    end = time.monotonic() + 60 * minutes
    longest = 0.0
    for i in range(rounds):
        start = time.monotonic()
        if i and start + longest > end:
            return
        yield i
        longest = max(longest, time.monotonic() - start)


def write_config(folder: Path, ranks: int, arguments: argparse.Namespace) -> Path:
    """configs/hgn.cfg for that many ranks, with its corpora beside it."""
    parts = {"train": wnut17("wnut17train.conll"), "dev": wnut17("emerging.test.annotated")[:5]}
    for name, docs in parts.items():
        DocBin(docs=docs).to_disk(folder / f"{name}.spacy")
    overrides = {
        "vars.hero": str(HERO),
        "paths.train": str(folder / "train.spacy"),
        "paths.dev": str(folder / "dev.spacy"),
        "corpora.train.@readers": "spacy-hgn.ShardedCorpus.v1",
        "training.logger.@loggers": "spacy-hgn.Distributed.v1",
        "training.batcher.size": BATCH // ranks,
        "training.max_steps": arguments.steps + WARM_UP,
        "training.eval_frequency": 10**6,
        "components.transformer.model.precision": arguments.precision,
        "components.hgn_ner.model.precision": arguments.precision,
    }
    path = folder / f"{ranks}.cfg"
    load_config(ROOT / "configs" / "hgn.cfg", overrides=overrides, interpolate=False).to_disk(path)
    return path


def start(config: Path, ranks: int, runs: list[int]) -> list[dict[str, float]]:
    """Start that many runs at once; what each of their ranks measured."""
    folders = [config.parent / f"{config.stem}-{run}" for run in runs]
    processes = []
    for folder in folders:
        folder.mkdir(exist_ok=True)
        launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
        worker = [__file__, "--worker", str(config), "--result", str(folder)]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", *launcher, *worker],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.DEVNULL,
            )
        )
    codes = [process.wait() for process in processes]
    if any(codes):
        sys.exit(f"A training of {ranks} ranks ended with exit status {max(codes)}.")
    return [json.loads(file.read_text()) for folder in folders for file in folder.glob("*.json")]


def work(config: Path, folder: Path) -> None:
    """Train in this process, as a rank or alone, and write what a step took."""
    clock = Clock()
    Language.update = clock.beginning_step(Language.update)  # type: ignore[method-assign]
    GradientSum.fill = clock.timing("copy", GradientSum.fill)  # type: ignore[method-assign]
    GradientSum.empty = clock.timing("copy", GradientSum.empty)  # type: ignore[method-assign]
    AdamW.step = clock.timing("optimizer", AdamW.step)  # type: ignore[method-assign]
    all_reduce = clock.timing("all_reduce", dist.all_reduce)
    wait = clock.timing("wait", dist.barrier)

    def wait_and_reduce(*arguments: Any) -> None:
        wait()
        all_reduce(*arguments)

    dist.all_reduce = wait_and_reduce  # type: ignore[assignment]
    train(init_nlp(load_config(config)))
    rank = os.environ["RANK"]
    (folder / f"{rank}.json").write_text(json.dumps(clock.summary()))


class Clock:
    """Seconds of each part of each step, and its words."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []

    def beginning_step(self, function: Callable) -> Callable:
        """``Language.update``, which each step begins with."""
        timed = self.timing("update", function)

        def update(nlp: Language, examples: Any, **settings: Any) -> Any:
            self.steps.append(defaultdict(float, start=time.perf_counter()))
            self.steps[-1]["words"] = sum(len(example.reference) for example in examples)
            return timed(nlp, examples, **settings)

        return update

    def timing(self, name: str, function: Callable) -> Callable:
        def timed(*arguments: Any, **settings: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **settings)
            if self.steps:
                self.steps[-1][name] += time.perf_counter() - start
            return result

        return timed

    def summary(self) -> dict[str, float]:
        """Words a second, and the milliseconds of a mean step."""
        steps = self.steps[WARM_UP:-1]
        seconds = self.steps[-1]["start"] - steps[0]["start"]
        milliseconds = {
            name: 1000 * sum(step[part] for step in steps) / len(steps)
            for name, part in PARTS.items()
        }
        whole = 1000 * seconds / len(steps)
        return {
            "words a second": sum(step["words"] for step in steps) / seconds,
            "step, ms": whole,
            **milliseconds,
            "data and the rest": whole - sum(milliseconds.values()),
        }


def results(
    found: dict[str, list[list[dict[str, float]]]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Medians over the rounds: words a second of all ranks, milliseconds of a mean rank."""
    chosen = {"steps": settings["steps"], "precision": settings["precision"]}
    table: dict[str, Any] = {"settings": chosen}
    for name, rounds in found.items():
        speeds = [_sum(r, "words a second") for r in rounds]
        table[name] = {"rounds": len(rounds), "words a second": _median(speeds)}
        for part in rounds[0][0]:
            if part != "words a second":
                table[name][part] = _median([_sum(r, part) / len(r) for r in rounds])
    alone = table["1 process"]["words a second"]
    for name in found:
        table[name]["speed-up"] = round(table[name]["words a second"] / alone, 3)
    return table


def _sum(ranks: list[dict[str, float]], part: str) -> float:
    return sum(rank[part] for rank in ranks)


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, parents=[HERO_OPTION])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--result", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
