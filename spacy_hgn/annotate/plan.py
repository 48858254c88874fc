"""Which documents of which files are a shard: the unit that is done whole or not at all."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from .inputs import InputFile
from .survey import MAX_BYTES, Piece, Survey, survey

READERS = 8
"""Files surveyed at once; reading and digests leave Python's lock to others."""


@dataclass(frozen=True)
class Part:
    """A piece of a file, and the file as it was when the run was planned."""

    file: InputFile
    size: int
    modified: int
    piece: Piece


@dataclass(frozen=True)
class Shard:
    """Documents whose annotation goes into one file. number: from 0."""

    number: int
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.number:07}"


Places = list[list[tuple[int, Piece]]]
"""Of each shard, the files' numbers and their pieces."""


def survey_all(files: Sequence[InputFile], unit: str, limit: int) -> Iterator[Survey]:
    """Survey files, several at a time, in their order."""
    with ThreadPoolExecutor(READERS) as threads:
        yield from threads.map(partial(survey, unit=unit, limit=limit), files)


def group(surveys: Iterable[Survey], limit: int) -> Places:
    """Put pieces together to shards of so many documents, at most, in the order of the files.

    Pieces stay whole.
    """
    shards: Places = []
    documents = size = 0
    for number, found in enumerate(surveys):
        for piece in found.pieces:
            documents, size = documents + piece.documents, size + piece.size
            if not shards or documents > limit or size > MAX_BYTES:
                shards.append([])
                documents, size = piece.documents, piece.size
            shards[-1].append((number, piece))
    return shards


def dump_places(places: Places) -> bytes:
    """A line of JSON a shard."""
    rows = [
        [[i, p.start, p.stop, p.first, p.documents, p.size] for i, p in shard] for shard in places
    ]
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def load_places(data: bytes) -> Places:
    """What ``dump_places`` has written."""
    rows = map(json.loads, data.splitlines())
    return [[(i, Piece(*numbers)) for i, *numbers in row] for row in rows]


def make_shards(
    places: Places, files: Sequence[InputFile], stamps: Sequence[tuple[int, int]]
) -> list[Shard]:
    """Shards with all that is needed to read them. stamps: the files' sizes and times."""
    return [
        Shard(number, tuple(Part(files[i], *stamps[i], piece) for i, piece in shard))
        for number, shard in enumerate(places)
    ]
