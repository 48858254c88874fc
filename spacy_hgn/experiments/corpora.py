"""A grid's corpora: found in assets, converted once."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import spacy
import srsly

from spacy_hgn import __version__
from spacy_hgn.corpora.docs import pack_docs
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.parts import find_parts, read_part

from .errors import GridError
from .grid import CorpusSource

ASSETS = Path("assets")
FACTS = "corpus.json"
NOT_OF_DOCS = ("source", "paper_trains_on")
"""Settings of a corpus that its Docs don't depend on."""


@dataclass(frozen=True)
class CorpusParts:
    """A converted corpus: its ``.spacy`` files, and a digest of what they were made from.

    sentences: the Docs of each part; each has several sentences if they were merged.
    """

    folder: Path
    digest: str
    sentences: dict[str, int]

    def path(self, part: str) -> Path:
        """The ``.spacy`` file of train, dev or test."""
        return self.folder / f"{part}.spacy"


def convert_corpus(name: str, source: CorpusSource, cache: Path) -> CorpusParts:
    """Convert a corpus's parts, unless the cache has them already.

    Raises GridError if its folder isn't there, and CorpusError for a part that isn't there, is
    empty, or can't be read.
    """
    parts = find_parts(find_corpus(name, source))
    digest = _digest(source, parts)
    folder = cache / f"{name}-{digest}"
    if not folder.exists():
        _convert(source, parts, folder)
    return CorpusParts(folder, digest, srsly.read_json(folder / FACTS)["sentences"])


def find_corpus(name: str, source: CorpusSource) -> Path:
    """A corpus's folder: in the folder that HGN_ASSETS names, in assets/, or as it stands.

    Raises GridError if it's nowhere.
    """
    assets = os.environ.get("HGN_ASSETS")
    tried = [ASSETS / source.source, Path(source.source)]
    if assets:
        tried.insert(0, Path(assets) / source.source)
    for folder in tried:
        if folder.is_dir():
            return folder
    raise GridError(
        f"Corpus {name}: expected a folder {' or '.join(map(str, dict.fromkeys(tried)))}. Put it "
        "there (python scripts/fetch_assets.py fetches the published ones), set HGN_ASSETS to the "
        "folder that holds it, or leave it out by --only corpus=..."
    )


def _digest(source: CorpusSource, parts: dict[str, Path]) -> str:
    """Of all that the Docs depend on."""
    settings = {key: value for key, value in asdict(source).items() if key not in NOT_OF_DOCS}
    found = hashlib.sha256(json.dumps([__version__, settings], sort_keys=True).encode("utf8"))
    for part, path in parts.items():
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(f"{part} {file.name} {file.stat().st_size}\n".encode())
                found.update(file.read_bytes())
    return found.hexdigest()[:8]


def _convert(source: CorpusSource, parts: dict[str, Path], folder: Path) -> None:
    nlp = spacy.blank(source.lang)
    names = ("format", "delimiter", "column", "scheme", "merge")
    settings = {name: getattr(source, name) for name in names}
    docs = {part: read_part(path, nlp, **settings).docs for part, path in parts.items()}
    for part, path in parts.items():
        if not docs[part]:
            raise CorpusError(path, f"expected sentences in the {part} part, got none")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Under another name first: what is half written is never taken for the corpus.
    with TemporaryDirectory(prefix=folder.name, dir=folder.parent) as temporary:
        written = Path(temporary) / folder.name
        written.mkdir()
        for part in parts:
            pack_docs(docs[part]).to_disk(written / f"{part}.spacy")
        srsly.write_json(written / FACTS, {"sentences": {p: len(docs[p]) for p in parts}})
        if not folder.exists():  # else, another process was faster
            written.rename(folder)
