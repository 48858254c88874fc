"""The documents of a shard, one after the other, whatever the format."""

from collections.abc import Iterator

from spacy.language import Language

from .documents import Read
from .errors import AnnotatingError
from .plan import Part, Shard
from .read_docbin import read_docbin
from .read_parquet import read_parquet
from .read_text import read_file, read_jsonl, read_lines
from .settings import Settings


def read_shard(shard: Shard, nlp: Language, settings: Settings) -> Iterator[Read]:
    """Documents, and failures in the places of those that can't be read.

    Raises OSError if the disk fails, and AnnotatingError if a file has changed meanwhile.
    """
    for part in shard.parts:
        _check_unchanged(part)
        file, piece = part.file, part.piece
        if file.format == "jsonl":
            yield from read_jsonl(file, piece, settings, nlp.max_length)
        elif file.format == "parquet":
            yield from read_parquet(file, piece, settings)
        elif file.format == "docbin":
            yield from read_docbin(file, nlp)
        elif settings.unit == "line":
            yield from read_lines(file, piece, nlp.max_length)
        else:
            yield read_file(file, piece, nlp.max_length)


def _check_unchanged(part: Part) -> None:
    stat = part.file.path.stat()
    if (stat.st_size, stat.st_mtime_ns) != (part.size, part.modified):
        raise AnnotatingError(f"{part.file.path} has changed since the run began")
