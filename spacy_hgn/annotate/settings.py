"""What a run was told to do, and the error that ends it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class AnnotateError(ValueError):
    """A run that can't begin or go on as things stand. What is done stays done."""


@dataclass(frozen=True)
class AnnotateSettings:
    """All that a process needs to annotate a shard, here or elsewhere.

    pipeline: a package or a folder. output: the folder that all processes see. unit: "line" or
    "file", what a document is in text. to: "parquet" or "docbin". text, id, meta: names of
    JSONL's keys and Parquet's columns. keep_entities: whether the entities of ``.spacy`` files stay
    on their Docs. batch_size: documents that pass the pipeline together.
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
        """Those that the output depends on, apart from the pipeline."""
        elsewhere = ("pipeline", "output", "batch_size", "code")
        return {name: value for name, value in asdict(self).items() if name not in elsewhere}
