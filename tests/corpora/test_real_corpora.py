import os
from pathlib import Path

import pytest
from eager import pack_docs

from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.corpora.stats import count

ASSETS = os.environ.get("HGN_ASSETS")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not ASSETS, reason="HGN_ASSETS is not set: it names the folder of the real corpora"
    ),
]

# Sentences and entities, as published.
COUNTS = {
    "wnut16/train": (2394, 1496),
    "wnut16/dev": (1000, 661),
    "wnut16/test": (3850, 3473),
    "wnut17/wnut17train.conll": (3394, 1975),
    "wnut17/emerging.dev.conll": (1009, 836),
    "wnut17/emerging.test.annotated": (1287, 1079),
    "bc5cdr-disease/train.tsv": (4560, 4182),
    "bc5cdr-disease/devel.tsv": (4581, 4246),
    "bc5cdr-disease/test.tsv": (4797, 4424),
    "bc5cdr-chem/train.tsv": (4560, 5203),
    "bc5cdr-chem/devel.tsv": (4581, 5347),
    "bc5cdr-chem/test.tsv": (4797, 5385),
    "bc2gm/train.tsv": (12574, 15197),
    "bc2gm/devel.tsv": (2519, 3061),
    "bc2gm/test.tsv": (5038, 6325),
}


@pytest.mark.parametrize("name", COUNTS)
def test_nothing_is_lost(nlp, name):
    path = Path(ASSETS) / name
    corpus = read_corpus(path, nlp)
    assert corpus.found == "columns, split by tab, tag in column 2, IOB2"
    assert (count(corpus.docs).sentences, count(corpus.docs).entities) == COUNTS[name]
    lines = path.read_bytes().decode("utf-8").split("\n")
    words = [line.split("\t")[0] for line in lines if line.strip(" \t\r")]
    assert [token.text for doc in corpus.docs for token in doc] == words


@pytest.mark.parametrize("name", [name for name in COUNTS if "test" in name])
def test_iobes_gives_the_same_docs(nlp, write, name):
    lines = (Path(ASSETS) / name).read_bytes().decode("utf-8").split("\n")
    following = [*lines[1:], ""]
    iobes = "\n".join(to_iobes(line, after) for line, after in zip(lines, following))
    found = read_corpus(write(iobes), nlp)
    assert found.found.endswith("IOBES")
    expected = read_corpus(Path(ASSETS) / name, nlp)
    assert pack_docs(found.docs).to_bytes() == pack_docs(expected.docs).to_bytes()


def to_iobes(line, after):
    """A line of IOB2 as IOBES has it, given the line after it."""
    token, tab, tag = line.rstrip("\r").rpartition("\t")
    if not tag.startswith(("B-", "I-")):
        return line
    ends = not after.rpartition("\t")[2].startswith("I-")
    prefix = {"B": "S", "I": "E"}[tag[0]] if ends else tag[0]
    return f"{token}{tab}{prefix}{tag[1:]}"
