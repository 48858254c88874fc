"""A grid's results on disk: one JSON line per run, predictions, and logs of failed runs."""

import gzip
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .scores import Mention

Record = dict[str, Any]


class Records:
    """The results in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = folder / "runs.jsonl"
        self.logs = folder / "logs"

    def read(self) -> dict[str, Record]:
        """The last record of each run, by its id."""
        found = {}
        text = self.runs.read_text(encoding="utf8", errors="replace") if self.runs.exists() else ""
        for line in text.split("\n"):
            with suppress(ValueError):  # skips a line that was cut off by a crash
                record = json.loads(line)
                found[record["id"]] = record
        return found

    def add(self, record: Record, gold: Any, predicted: Any) -> None:
        """Store a run's record and its entities."""
        _write_mentions(self._predictions(record), predicted)
        _write_mentions(self._gold(record), gold)
        with self.runs.open("ab+") as file:
            begin = b""
            if file.tell():
                file.seek(-1, 2)
                begin = b"" if file.read(1) == b"\n" else b"\n"
            file.write(begin + json.dumps(record, ensure_ascii=False).encode("utf8") + b"\n")

    def keep_log(self, run_id: str, log: Path) -> Path:
        """Copy a failed run's log; returns the new path."""
        self.logs.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(log, self.logs / f"{run_id}.log"))

    def read_predictions(self, record: Record) -> list[list[Mention]]:
        """A run's predicted entities in each sentence of test, or of dev if it didn't read test."""
        return _read_mentions(self._predictions(record))

    def read_gold(self, record: Record) -> list[list[Mention]]:
        """The gold entities in the same sentences."""
        return _read_mentions(self._gold(record))

    def _predictions(self, record: Record) -> Path:
        return self.folder / "predictions" / f"{record['id']}.jsonl.gz"

    def _gold(self, record: Record) -> Path:
        part = "test" if record["test"] else "dev"
        name = f"{record['corpus']}-{record['corpus_digest']}-{part}.jsonl.gz"
        return self.folder / "gold" / name


def _write_mentions(path: Path, sentences: Sequence[Sequence[Mention]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(s, separators=(",", ":")) + "\n" for s in sentences)
    unfinished = path.with_name(path.name + ".part")
    # Without a time stamp, so that the same predictions make the same file.
    unfinished.write_bytes(gzip.compress(text.encode("utf8"), mtime=0))
    unfinished.replace(path)


def _read_mentions(path: Path) -> list[list[Mention]]:
    lines = gzip.decompress(path.read_bytes()).decode("utf8").splitlines()
    return [[(start, end, label) for start, end, label in json.loads(line)] for line in lines]
