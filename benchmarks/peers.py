"""How fast is spacy_hgn beside other libraries for named entities, all on the same Hero?

    python benchmarks/peers.py [--hero minilm|mpnet|FOLDER]

Words a second over WNUT 2017's test part. Each peer is a process of its own, a script in peers/,
and they make their passes over the texts in turns. Those with requirements beside their script run
in a virtual environment under .venvs/, which the first run makes; spacy_hgn and spaCy run in this
one. The heads are untrained: speed doesn't depend on what they learnt, as long as they
tag as many words as a trained one would (peers/passes.py sees to that).
"""

import json
import statistics
import subprocess
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from common import HERO, HERO_OPTION, check_hero, wnut17, write_results
from environments import SCRIPTS, environment, last_words, variables

ROUNDS = 3
TRIAL_TEXTS = 160
"""Texts by which the batch size is chosen."""

OURS = "spacy_hgn"
OURS_FLOAT32 = "spacy_hgn, float32"


@dataclass(frozen=True)
class Candidate:
    """A peer in a precision.

    script: in peers/, without its ending. batches: the batch sizes to choose from, the library's
    own default and 32 among them. every: 2 to read every other text alone.
    """

    script: str
    batches: tuple[int, ...]
    precision: str = "float32"
    every: int = 1


CANDIDATES = {
    OURS: Candidate("hgn", (32, 128, 1000), "auto"),
    OURS_FLOAT32: Candidate("hgn", (32, 128, 1000)),
    "spaCy transformer + ner": Candidate("spacy_ner", (32, 128, 1000)),
    "Hugging Face pipeline": Candidate("hf_pipeline", (1, 8, 32)),
    "Hugging Face pipeline, bfloat16": Candidate("hf_pipeline", (1, 8, 32), "bfloat16"),
    "flair SequenceTagger": Candidate("flair_tagger", (8, 32, 128)),
    # They score every span besides the text, over minutes.
    "GLiNER": Candidate("gliner_spans", (8, 32, 128), every=2),
    "GLiNER, bfloat16": Candidate("gliner_spans", (8, 32, 128), "bfloat16", every=2),
    "SpanMarker": Candidate("spanmarker", (4, 32), every=16),
    "SpanMarker, bfloat16": Candidate("spanmarker", (4, 32), "bfloat16", every=16),
}


def main() -> None:
    """Measure all peers that can be installed and run."""
    settings = arguments()
    check_hero(HERO)
    torch.set_num_threads(settings.threads)  # for the results file
    docs = wnut17("emerging.test.annotated")[: settings.texts]
    texts = [[token.text for token in doc] for doc in docs]
    with TemporaryDirectory() as folder:
        peers = [
            Peer(name, candidate, texts[:: candidate.every], settings.threads, Path(folder))
            for name, candidate in CANDIDATES.items()
        ]
        ready = [peer for peer in peers if peer.is_ready()]
        running = [peer for peer in ready if peer.choose_batch()]
        for _ in range(ROUNDS):
            running = [peer for peer in running if peer.make_pass()]
        results = {
            "threads": settings.threads,
            "peers": compare({peer.name: peer.results() for peer in running}),
            "skipped": {peer.name: peer.reason() for peer in peers if peer not in running},
        }
        for peer in peers:
            peer.stop()
    if settings.texts is None:
        write_results("peers", results)
    else:
        print(json.dumps(results, indent=2))
        print("A part of the texts shows that everything works, not how fast: nothing is written.")


def arguments() -> Namespace:
    parser = ArgumentParser(
        description="Compare the speed of libraries for named entities.", parents=[HERO_OPTION]
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--texts", type=int, help="read the first N texts, write no results")
    return parser.parse_args()


class Peer:
    """A candidate's process, and what it has answered so far."""

    def __init__(
        self, name: str, candidate: Candidate, texts: list[list[str]], threads: int, folder: Path
    ) -> None:
        self.name = name
        self.candidate = candidate
        self.texts = texts
        self.log = folder / f"{name}.log"
        self.versions: dict[str, str] = {}
        self.tried: dict[int, float] = {}
        self.passes: list[dict[str, float]] = []
        self.batch = 0
        python = environment(candidate.script, self.log)
        self.process = self._start(python, threads, folder) if python else None

    def _start(self, python: Path, threads: int, folder: Path) -> subprocess.Popen[str]:
        texts = folder / f"{self.name}.json"
        texts.write_text(json.dumps(self.texts))
        script = SCRIPTS / f"{self.candidate.script}.py"
        settings = ["--threads", str(threads), "--precision", self.candidate.precision]
        with self.log.open("a") as log:
            return subprocess.Popen(
                [python, script, texts, HERO, *settings],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=variables(threads),
            )

    def is_ready(self) -> bool:
        """Wait for the model to be loaded."""
        print(f"{self.name}: loading", flush=True)
        self.versions = self._answer()
        return bool(self.versions)

    def choose_batch(self) -> bool:
        """Warm up by some texts with each batch size; keep the fastest."""
        trial = self.texts[:TRIAL_TEXTS]
        for batch in self.candidate.batches:
            answer = self._ask(batch, len(trial))
            if not answer:
                return False
            self.tried[batch] = sum(map(len, trial)) / answer["seconds"]
        self.batch = max(self.tried, key=self.tried.__getitem__)
        print(f"{self.name}: {self.tried[self.batch]:,.0f} words/s", flush=True)
        return True

    def make_pass(self) -> bool:
        """Measure a pass over all texts."""
        answer = self._ask(self.batch, len(self.texts))
        self.passes += [answer] if answer else []
        return bool(answer)

    def _ask(self, batch: int, texts: int) -> dict[str, Any]:
        """Have the process make a pass over the first texts."""
        if self.process is None or self.process.poll() is not None:
            return {}
        assert self.process.stdin
        print(batch, texts, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        """The next answer; empty where there is none because the process has ended."""
        if self.process is None:
            return {}
        assert self.process.stdout
        return json.loads(self.process.stdout.readline() or "{}")

    def _speed(self, answer: dict[str, float]) -> float:
        return self._words / answer["seconds"]

    @property
    def _words(self) -> int:
        return sum(map(len, self.texts))

    def results(self) -> dict[str, Any]:
        """What was measured, the median of all passes, and under which circumstances."""
        speeds = [self._speed(answer) for answer in self.passes]
        return {
            "words/s": round(statistics.median(speeds)),
            "words/s, lowest and highest": [round(min(speeds)), round(max(speeds))],
            "precision": self.candidate.precision,
            "batch": self.batch,
            "words/s by batch, warming up": {b: round(s) for b, s in self.tried.items()},
            "texts": len(self.texts),
            "words": self._words,
            "words tagged, %": round(100 * self.passes[-1]["tagged"] / self._words, 1),
            "versions": self.versions,
        }

    def reason(self) -> str:
        """Why there are no results."""
        return last_words(self.log)

    def stop(self) -> None:
        """Let the process end: there are no more lines for it."""
        if self.process is not None:
            self.process.communicate()


def compare(peers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Add how many times as fast spacy_hgn is."""
    for ours in [name for name in (OURS, OURS_FLOAT32) if name in peers]:
        speed = peers[ours]["words/s"]
        for results in peers.values():
            results[f"{ours} / this"] = round(speed / results["words/s"], 2)
    return peers


if __name__ == "__main__":
    main()
