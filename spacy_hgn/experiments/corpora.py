"""The corpora of a grid, which are found in assets and converted once."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import spacy
import srsly
from spacy.tokens import Doc

from spacy_hgn.corpora.assets import Asset, compare_checksum, list_assets
from spacy_hgn.corpora.docbin import open_outputs
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.parts import find_parts, read_part
from spacy_hgn.corpora.reading import Task
from spacy_hgn.corpora.stats import count, describe_problems

from .grid_file import CorpusSource, GridError

ASSETS = Path("assets")
FACTS = "corpus.json"
NOT_OF_DOCS = ("source", "paper_trains_on")
"""Settings of a corpus that don't affect its Docs."""

READING = "0.1.0"
"""The release that last changed the conversion. If you change this, all corpora are converted again
and all results are stale."""


@dataclass(frozen=True)
class CorpusParts:
    """A converted corpus: its ``.spacy`` parts, and a digest of its source.

    sentences: the number of Docs in each part; with ``merge``, a Doc has several sentences.
    problems: messages about parts that don't fit together.
    """

    folder: Path
    digest: str
    sentences: dict[str, int]
    problems: list[str]

    def path(self, part: str) -> Path:
        """The ``.spacy`` file of train, dev or test; for a large corpus, a folder of them."""
        return self.folder / f"{part}.spacy"


def convert_corpus(name: str, source: CorpusSource, cache: Path) -> CorpusParts:
    """Convert a corpus's parts, unless they are in the cache.

    Raises GridError if its folder doesn't exist. Raises CorpusError for a part that is missing,
    empty or can't be read, for a training part without entities, and for a published file with a
    wrong checksum.
    """
    parts = find_parts(find_corpus(name, source))
    digest = _digest(source, parts)
    folder = cache / f"{name}-{digest}"
    if not folder.exists():
        _convert(source, parts, folder)
    facts = srsly.read_json(folder / FACTS)
    return CorpusParts(folder, digest, facts["sentences"], facts.get("problems", []))


def find_corpus(name: str, source: CorpusSource) -> Path:
    """A corpus's folder: in the folder in HGN_ASSETS, in assets/, or the path itself.

    Raises GridError if there is none, and CorpusError for a published file with a wrong checksum.
    """
    assets = os.environ.get("HGN_ASSETS")
    tried = [ASSETS / source.source, Path(source.source)]
    if assets:
        tried.insert(0, Path(assets) / source.source)
    published = list_assets(Path(), ASSETS / source.source)
    for folder in filter(Path.is_dir, tried):
        _check_published(folder, published)
        return folder
    fetch = f"python scripts/fetch_assets.py {source.source}"
    addresses = ", ".join(asset["url"] for asset in published)
    raise GridError(
        f"Corpus {name}: expected a folder {' or '.join(map(str, dict.fromkeys(tried)))}. Put it "
        f"there{f' ({fetch} fetches it from {addresses})' if published else ''}, set HGN_ASSETS "
        "to the folder that holds it, or leave it out with --only corpus=..."
    )


def _check_published(folder: Path, assets: Sequence[Asset]) -> None:
    """Check the files' checksums, because results are compared with published ones."""
    for asset in assets:
        path = folder / Path(asset["dest"]).name
        if path.is_file() and (problem := compare_checksum(path, asset)):
            raise CorpusError(path, f"{problem} Put a corpus of your own into another folder.")


def _digest(source: CorpusSource, parts: dict[str, Path]) -> str:
    """A digest of everything the Docs depend on."""
    settings = {key: value for key, value in source.for_digest.items() if key not in NOT_OF_DOCS}
    found = hashlib.sha256(json.dumps([READING, settings], sort_keys=True).encode("utf8"))
    for part, path in parts.items():
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                found.update(f"{part} {file.name} {file.stat().st_size}\n".encode())
                found.update(file.read_bytes())
    return found.hexdigest()[:8]


def _convert(source: CorpusSource, parts: dict[str, Path], folder: Path) -> None:
    docs = {part: _read(source, part, path) for part, path in parts.items()}
    counts = {part: count(of_part) for part, of_part in docs.items()}
    if not counts["train"].entities:
        where = f" in its train_share of {source.train_share}" if source.train_share < 1 else ""
        raise CorpusError(parts["train"], f"expected entities to learn from, got none{where}")
    facts = {
        "sentences": {part: len(of_part) for part, of_part in docs.items()},
        "problems": describe_problems(counts),
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    # First under another name, so that a half-written folder is never used.
    with TemporaryDirectory(prefix=folder.name, dir=folder.parent) as temporary:
        written = Path(temporary) / folder.name
        with open_outputs(written) as outputs:
            for part, of_part in docs.items():
                outputs.write(of_part, written / f"{part}.spacy", Task(spacy.blank(source.lang)))
            outputs.move()
        srsly.write_json(written / FACTS, facts)
        if not folder.exists():  # else, another process was faster
            written.rename(folder)


def _read(source: CorpusSource, part: str, path: Path) -> list[Doc]:
    """The Docs of a part; for train, the given share of them: evenly spread and always the
    same."""
    repairs: list | None = [] if source.lenient else None
    nlp = spacy.blank(source.lang)
    settings = source.reader_settings
    docs = read_part(path, nlp, format=source.format, repairs=repairs, **settings).docs
    if not docs:
        raise CorpusError(path, f"expected sentences in the {part} part, got none")
    share = source.train_share if part == "train" else 1
    kept = max(1, round(share * len(docs)))
    return [docs[(2 * i + 1) * len(docs) // (2 * kept)] for i in range(kept)]
