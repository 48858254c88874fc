"""How fast are .spacy files written and read, with srsly's codecs found once and found anew?

    python benchmarks/docbin.py

WNUT 2017's train part to a ``DocBin`` and back. spacy_hgn finds the codecs once in every
``python -m spacy`` and every pipeline that has ``hgn_ner`` (spacy_hgn/util/codecs.py).
"""

import catalogue
import spacy
from common import side_by_side, wnut17, write_results
from spacy.tokens import Doc, DocBin
from srsly.msgpack import msgpack_decoders, msgpack_encoders

from spacy_hgn.util.codecs import find_codecs_once

ROUNDS = 5


def main() -> None:
    """Measure both ways."""
    docs = wnut17("wnut17train.conll")
    written = write(docs)
    vocab = spacy.blank("en").vocab
    ways = {
        "write, found anew": lambda: spacys_own(lambda: write(docs)),
        "write, found once": lambda: found_once(lambda: write(docs)),
        "read, found anew": lambda: spacys_own(lambda: read(written, vocab)),
        "read, found once": lambda: found_once(lambda: read(written, vocab)),
    }
    seconds = side_by_side(ways, ROUNDS)
    results = {name: round(len(docs) / taken) for name, taken in seconds.items()}
    gains = {
        what: round(results[f"{what}, found once"] / results[f"{what}, found anew"], 1)
        for what in ("write", "read")
    }
    write_results("docbin", {"Docs per second": results, "times as fast": gains})


def write(docs: list[Doc]) -> bytes:
    return DocBin(docs=docs, store_user_data=True).to_bytes()


def read(written: bytes, vocab) -> list[Doc]:
    return list(DocBin().from_bytes(written).get_docs(vocab))


def found_once(run) -> None:
    find_codecs_once.cache_clear()
    find_codecs_once()
    run()


def spacys_own(run) -> None:
    """Run as without spacy_hgn."""
    for registry in (msgpack_encoders, msgpack_decoders):
        registry.get_all = catalogue.Registry.get_all.__get__(registry)
    run()


if __name__ == "__main__":
    main()
