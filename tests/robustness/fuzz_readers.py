"""Fuzzes the readers, guided by the code that an input reaches: see README.md.

The first byte of an input chooses the reader.
"""

import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["spacy_hgn.corpora"]):
    from .test_readers import SAMPLES, check, check_docbin, make_docbin

from spacy_hgn.corpora.formats import FORMATS

FORMATS_READ = ["auto", *FORMATS, "spacy"]


def make_target(path: Path) -> Callable[[bytes], None]:
    """The function to fuzz. path: where it writes its files."""

    def read(data: bytes) -> None:
        if not data:
            return
        format = FORMATS_READ[data[0] % len(FORMATS_READ)]
        if format == "spacy":
            check_docbin(path, zlib.compress(data[1:]), format)
        else:
            check(path, data[1:], format, format)

    return read


def write_seeds(folder: Path) -> None:
    """Write inputs to begin with: a well-formed file for each reader."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = {**SAMPLES, "spacy": zlib.decompress(make_docbin())}
    for format, content in samples.items():
        (folder / format).write_bytes(bytes([FORMATS_READ.index(format)]) + content)


if __name__ == "__main__":
    write_seeds(Path(sys.argv[1]))
    with tempfile.TemporaryDirectory() as scratch:
        atheris.Setup(sys.argv, make_target(Path(scratch) / "corpus"))
        atheris.Fuzz()
