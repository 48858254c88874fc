"""How far a run is, on the screen: documents and words a second."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from .inputs import InputFile
from .plan import Shard
from .shard import Progress

SECONDS = 0.5 if sys.stderr.isatty() else 10.0
"""Between two lines; a log should not be filled with them."""


@contextmanager
def showing_files(total: int) -> Iterator[Callable[[InputFile], None]]:
    """Yield what counts files that have been read."""
    with tqdm(total=total, desc="Reading", unit=" files", mininterval=SECONDS, leave=False) as bar:
        yield lambda _: bar.update()


@contextmanager
def showing_documents(shards: Sequence[Shard]) -> Iterator[Progress]:
    """Yield what counts documents and words."""
    total = count_documents(shards)
    start, words = time.monotonic(), 0
    with tqdm(total=total, desc="Annotating", unit=" docs", mininterval=SECONDS) as bar:

        def progress(more_documents: int, more_words: int) -> None:
            nonlocal words
            words += more_words
            rate = words / max(time.monotonic() - start, 1e-9)
            bar.set_postfix_str(f"{rate:,.0f} words/s", refresh=False)
            bar.update(more_documents)

        yield progress


def count_documents(shards: Sequence[Shard]) -> int | None:
    """How many there are, blank lines included; None if DocBins don't tell."""
    parts = [part for shard in shards for part in shard.parts]
    if any(part.file.format == "docbin" for part in parts):
        return None
    return sum(part.piece.documents for part in parts)
