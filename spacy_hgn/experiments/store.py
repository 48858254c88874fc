"""A grid's results on disk: a JSON line a run, its predictions, and what failed."""

import gzip
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .scores import Entity

Record = dict[str, Any]


class Store:
    """Results under one folder, and the working folders of runs under another.

    Several processes may share it: a run is claimed before it's begun, and a line is appended
    whole or not at all. The system gives up the claims of a process that ends, however it ends.
    """

    def __init__(self, results: Path, work: Path) -> None:
        self.folder = results
        self.work = work
        self.runs = results / "runs.jsonl"
        self.failures = results / "failures.jsonl"

    def read(self) -> dict[str, Record]:
        """The record of each run by its id: the last one, where it was done again."""
        return {record["id"]: record for record in _read_lines(self.runs)}

    def claim(self, run_id: str) -> FileLock | None:
        """A lock on a run, to be released when it's done; None if another process has it."""
        self.work.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.work / f"{run_id}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return None
        return lock

    def make_folder(self, run_id: str) -> Path:
        """An empty working folder for a claimed run."""
        self.remove_folder(run_id)
        folder = self.work / run_id
        folder.mkdir(parents=True)
        return folder

    def remove_folder(self, run_id: str) -> None:
        """Remove what a run worked with, be it half done."""
        if (self.work / run_id).exists():
            shutil.rmtree(self.work / run_id)

    def sweep(self) -> None:
        """Remove what runs left that were killed."""
        for folder in sorted(self.work.glob("*/")):
            if claim := self.claim(folder.name):
                self.remove_folder(folder.name)
                claim.release()

    def add(self, record: Record, predicted: Any, gold: Any) -> None:
        """Keep a run's record and its predictions."""
        self._write_entities(self._predictions(record["id"]), predicted)
        self._write_entities(self._gold(record), gold)
        self._append(self.runs, record)

    def add_failure(self, run_id: str, error: str, log: Path) -> Path:
        """Keep a failed run's error and its log; returns where the log is now."""
        kept = self.folder / "logs" / f"{run_id}.log"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, kept)
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self._append(self.failures, {"id": run_id, "error": error, "log": kept.name, "when": now})
        return kept

    def read_predictions(self, record: Record) -> list[list[Entity]]:
        """The entities that a run predicted, by sentence of test; of dev if it didn't test."""
        return _read_entities(self._predictions(record["id"]))

    def read_gold(self, record: Record) -> list[list[Entity]]:
        """The annotated entities of the same sentences."""
        return _read_entities(self._gold(record))

    def is_whole(self, record: Record) -> bool:
        """Whether a run's entities are there too."""
        return self._predictions(record["id"]).exists() and self._gold(record).exists()

    def _predictions(self, run_id: str) -> Path:
        return self.folder / "predictions" / f"{run_id}.jsonl.gz"

    def _gold(self, record: Record) -> Path:
        part = "test" if record["test"] else "dev"
        return (
            self.folder / "gold" / f"{record['corpus']}-{record['corpus_digest']}-{part}.jsonl.gz"
        )

    def _write_entities(self, path: Path, sentences: Sequence[Sequence[Entity]]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(s, separators=(",", ":")) + "\n" for s in sentences)
        unfinished = path.with_name(path.name + ".part")
        # No time in it: the same predictions are the same file.
        unfinished.write_bytes(gzip.compress(text.encode("utf8"), mtime=0))
        unfinished.replace(path)

    def _append(self, path: Path, record: Record) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.work.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, ensure_ascii=False).encode("utf8") + b"\n"
        with FileLock(self.work / f"{path.name}.lock"), path.open("ab+") as file:
            if file.tell() and not _ends_line(file):
                line = b"\n" + line
            file.write(line)


def _ends_line(file: Any) -> bool:
    file.seek(-1, 2)
    return file.read(1) == b"\n"


def _read_lines(path: Path) -> list[Record]:
    """A line that a crash cut short is passed over."""
    found = []
    text = path.read_text(encoding="utf8", errors="replace") if path.exists() else ""
    for line in text.split("\n"):
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def _read_entities(path: Path) -> list[list[Entity]]:
    lines = gzip.decompress(path.read_bytes()).decode("utf8").splitlines()
    return [[(start, end, label) for start, end, label in json.loads(line)] for line in lines]
