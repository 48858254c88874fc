"""The settings of a run, and its error."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class AnnotateError(ValueError):
    """The run can't start or continue. Finished shards are kept."""


@dataclass(frozen=True)
class AnnotateSettings:
    """Everything a process needs to annotate a shard, on this machine or another.

    pipeline: a package or a folder. output: a folder that all processes share. unit: "line" or
    "file", one document in text. to: "parquet" or "docbin". text, id, meta: keys in JSONL or
    columns in Parquet. keep_entities: whether entities in ``.spacy`` files stay on their Docs.
    shard_size: maximum of documents per shard. batch_size: documents per batch. code: a Python
    file with the pipeline's registered functions.
    """

    pipeline: str
    output: Path
    unit: str = "line"
    to: str = "parquet"
    text: str = "text"
    id: str = "id"
    meta: str = "meta"
    keep_entities: bool = False
    shard_size: int = 10_000
    batch_size: int = 128
    code: Path | None = None

    def shaping(self) -> dict[str, Any]:
        """The settings that the output depends on, except the pipeline."""
        elsewhere = ("pipeline", "output", "batch_size", "code")
        return {name: value for name, value in asdict(self).items() if name not in elsewhere}
