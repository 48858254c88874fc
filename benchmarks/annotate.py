"""How fast is ``spacy hgn annotate`` beside plain ``nlp.pipe``, and what memory do workers take?

    python benchmarks/annotate.py [--texts 10000]

On two cores: ``nlp.pipe(n_process=2)``, the default engine with two threads, and two actors of
Ray. Each reads the same JSONL in a process of its own, twice: a quarter and all of it. Words a
second are of the difference; the rest is the start (imports, the pipeline, Ray). Results are
written after each candidate.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from common import HERO_OPTION, hgn_pipeline, spacy_examples, wnut17, write_results

BATCH = 128
SHARD = 250
"""Documents; so few that two actors end at about the same time."""
TEXTS = 10_000
"""Those of WNUT 2017's train, again and again."""

PIPE = """
import json, sys, spacy, torch
torch.set_num_threads(1)
nlp = spacy.load(sys.argv[1])
records = map(json.loads, open(sys.argv[2], encoding="utf8"))
texts = ((record["text"], record["id"]) for record in records)
with open(sys.argv[3], "w", encoding="utf8") as out:
    for doc, id in nlp.pipe(texts, as_tuples=True, n_process=2, batch_size=int(sys.argv[4])):
        for ent in doc.ents:
            row = (id, ent.start_char, ent.end_char, ent.label_, ent._.score)
            out.write(json.dumps(row) + "\\n")
"""
ANNOTATE = [sys.executable, "-m", "spacy", "hgn", "annotate"]


def main(size: int) -> None:
    """Measure all candidates on a quarter and on all texts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = prepare(folder, size)
        results: dict[str, Any] = {"batch size": BATCH, "words": words["all"]}
        for candidate in ("pipe", "here", "ray"):
            results[candidate] = measure(candidate, folder, words)
            write_results("annotate", results)


def prepare(folder: Path, size: int) -> dict[str, int]:
    """Write a pipeline and the texts; how many words there are, by file."""
    docs = wnut17("wnut17train.conll")
    nlp = hgn_pipeline("auto")
    nlp.add_pipe("doc_cleaner", config={"attrs": {"tensor": None, "_.trf_data": None}})
    nlp.initialize(lambda: spacy_examples(nlp, docs[:200]))
    nlp.to_disk(folder / "pipeline")
    words = {}
    texts = [" ".join(token.text for token in doc) for doc in docs]
    lengths = [len(nlp.make_doc(text)) for text in texts]
    for name, number in (("quarter", size // 4), ("all", size)):
        with (folder / f"{name}.jsonl").open("w", encoding="utf8") as file:
            for i, text in enumerate(islice(cycle(texts), number)):
                file.write(json.dumps({"id": str(i), "text": text}) + "\n")
        words[name] = sum(islice(cycle(lengths), number))
    return words


def measure(candidate: str, folder: Path, words: dict[str, int]) -> dict[str, float]:
    """Words a second, seconds to start, and the peak resident memory in MiB."""
    seconds, memory = {}, {}
    for size in words:
        command, threads = command_of(candidate, folder, size)
        start = time.perf_counter()
        memory = watch(command, threads, folder)
        seconds[size] = time.perf_counter() - start
    more, longer = words["all"] - words["quarter"], seconds["all"] - seconds["quarter"]
    return {
        "words/s": round(more / longer),
        "seconds to start": round(seconds["all"] - words["all"] * longer / more, 1),
        **memory,
    }


def command_of(candidate: str, folder: Path, size: str) -> tuple[list[str], int]:
    """The command of a candidate, and how many threads it computes with."""
    pipeline, texts = str(folder / "pipeline"), str(folder / f"{size}.jsonl")
    output = str(folder / f"{candidate}-{size}")
    arguments = [pipeline, texts, output, "--batch-size", str(BATCH)]
    arguments += ["--shard-size", str(SHARD)]
    if candidate == "pipe":
        return [sys.executable, "-c", PIPE, pipeline, texts, output, str(BATCH)], 1
    if candidate == "here":
        return [*ANNOTATE, *arguments], 2
    return [*ANNOTATE, *arguments, "--ray", "--workers", "2"], 1


def watch(command: list[str], threads: int, folder: Path) -> dict[str, float]:
    """Run a command; the peak memory of its first process, and of the largest worker."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    peaks: dict[int, float] = {}
    workers: set[int] = set()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        while process.poll() is None:
            for pid, name, mib in processes_below(process.pid):
                peaks[pid] = max(peaks.get(pid, 0.0), mib)
                if pid != process.pid and ("MapWorker" in name or "-c" in name):
                    workers.add(pid)
            time.sleep(0.5)
    if process.returncode:
        sys.exit((folder / "log.txt").read_text())
    of_workers = [peaks[pid] for pid in workers]
    return {
        "MiB, first process": round(peaks.get(process.pid, 0.0)),
        "MiB, a worker": round(max(of_workers, default=peaks.get(process.pid, 0.0))),
    }


def processes_below(root: int) -> list[tuple[int, str, float]]:
    """A process and its descendants: ids, command lines and resident memory in MiB."""
    parents, found = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "status").read_text()
            name = (path / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended
            continue
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        parents[int(path.name)] = int(fields["PPid"])
        found[int(path.name)] = (name, int(fields.get("VmRSS", "0 kB").split()[0]) / 1024)
    below = {root} & found.keys()
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return [(pid, *found[pid]) for pid in sorted(below)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], parents=[HERO_OPTION])
    parser.add_argument("--texts", type=int, default=TEXTS)
    main(parser.parse_args().texts)
