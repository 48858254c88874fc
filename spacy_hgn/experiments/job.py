"""A run as the runner hands it to its process, and the files by which the two speak."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .grid import Run
from .grid_file import CorpusSource
from .json_files import read_json, write_json
from .settings import build_config, flatten

JOB, LOG, PROGRESS, ERROR = "job.json", "log.txt", "progress.json", "error.txt"
RESULT, PREDICTIONS = "result.json", "predictions.json"


@dataclass(frozen=True)
class Job:
    """A run, and what it's done with. corpus: the folder with the ``.spacy`` files."""

    run: Run
    config: str
    corpus: str
    corpus_digest: str
    sentences: dict[str, int]
    threads: int
    gpu_id: int

    @property
    def training_sentences(self) -> int:
        """Those that it trains on."""
        return sum(self.sentences[part] for part in self.run.training_parts)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What decides about its training, in dotted form. Raises what ``build_config`` does."""
        return flatten(build_config(self.run, Path(self.config), self.training_sentences))

    def paths(self) -> dict[str, list[Path]]:
        """The files to train on, to choose the epoch by, and to test on."""
        corpus = Path(self.corpus)
        return {
            "training": [corpus / f"{part}.spacy" for part in self.run.training_parts],
            "dev": [corpus / "dev.spacy"],
            "test": [corpus / "test.spacy"],
        }


def write_job(job: Job, folder: Path) -> None:
    """Put a job where its process looks for it."""
    write_json(folder / JOB, asdict(job))


def read_job(folder: Path) -> Job:
    """The job that ``write_job`` wrote."""
    content = read_json(folder / JOB)
    run = content.pop("run")
    source = CorpusSource(**run.pop("source"))
    return Job(Run(**run, source=source), **content)


def write_progress(folder: Path, step: int, dev_f1: list[float]) -> None:
    """Tell how far a run is, never by half a file."""
    unfinished = folder / f"{PROGRESS}.part"
    write_json(unfinished, {"step": step, "dev_f1": dev_f1})
    unfinished.replace(folder / PROGRESS)


def read_progress(folder: Path) -> dict[str, Any]:
    """How far a run is: its steps, and the F1 on dev of its epochs."""
    path = folder / PROGRESS
    return read_json(path) if path.exists() else {"step": 0, "dev_f1": []}
