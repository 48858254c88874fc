"""Any bytes become Docs with every token of the file, or an error that names file and line."""

import json
import re
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from corpora.corpus_samples import CONLL2003, OTHER, SAMPLE, SPANS, TEXT, TSV, to_lines
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span

from spacy_hgn.corpora.docs import STORED
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import FORMATS, LoadedCorpus, read_corpus
from spacy_hgn.corpora.parts import read_part
from spacy_hgn.corpora.repairs import Repair

from .hard_bytes import columns, jsonl, mutated
from .trying import tally, tries

TEXTS = [{"text": TEXT, "spans": SPANS}, {"text": "Hi\u2028you", "entities": []}, {"text": "So"}]
REGION = {"start": 0, "end": 12, "text": "Ada Lovelace", "labels": ["PERSON"]}
ANNOTATIONS = [{"result": [{"type": "labels", "value": REGION}]}]
SAMPLES = {
    "columns": TSV.encode(),
    "conll2003": CONLL2003.encode(),
    "conll2012": (SAMPLE + OTHER).encode(),
    "jsonl": to_lines(*TEXTS).encode(),
    "prodigy": to_lines(*({**text, "answer": "accept"} for text in TEXTS)).encode(),
    "doccano": to_lines({"text": TEXT, "label": [[0, 12, "PERSON"]]}, {"text": "So"}).encode(),
    "label-studio": json.dumps([{"data": {"text": TEXT}, "annotations": ANNOTATIONS}]).encode(),
    "label-studio-min": json.dumps([{"text": TEXT, "label": [REGION], "annotator": 1}]).encode(),
    "brat": b"T1\tPERSON 0 12\tAda Lovelace\nR1\tx Arg1:T1 Arg2:T1\n",
    "spacy2": json.dumps([[TEXT, {"entities": [[0, 12, "PERSON"]]}]], indent=1).encode(),
    "gliner": json.dumps([{"tokenized_text": ["Hi", "Bo"], "ner": [[1, 1, "PER"]]}]).encode(),
    "hugging-face": to_lines({"tokens": ["Hi", "Bo"], "ner_tags": ["O", "B-PER"]}).encode(),
}
LINES = ("columns", "conll2003", "conll2012", "jsonl")
"""Formats that have a token or a text a line."""

BLANKS = " \t\r"
NLP = spacy.blank("xx")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files are written, one after another."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "corpus.txt").write_text(TEXT)  # for brat
    return folder / "corpus"


@pytest.mark.parametrize("format", ["auto", *FORMATS])
@tries()
@given(data=st.binary(max_size=200))
def test_random_bytes(path, format, data):
    check(path, data, format, "random bytes as a corpus")


@pytest.mark.parametrize("format", ["auto", *FORMATS])
@tries()
@given(data=st.one_of(columns, jsonl))
@example(data=b'{"text": "Hi", "spans": [{"start": 0, "end": 2, "label": "\\ud800"}]}')
def test_lines_of_any_cells_and_records(path, format, data):
    check(path, data, format, "lines of any cells, and JSON values")


@pytest.mark.parametrize("format", FORMATS)
@tries()
@given(data=st.data())
def test_damaged_files(path, format, data):
    check(path, data.draw(mutated(SAMPLES[format])), format, f"damaged {format}")


@pytest.mark.parametrize("depth", [10, 100, 900, 950, 975, 990, 1_000, 10_000, 100_000])
@pytest.mark.parametrize("record", ['{"text": %s}', '{"text": "Hi", "spans": [%s]}', "%s"])
def test_deeply_nested_json(path, record, depth):
    data = (record % ("[" * depth + "]" * depth)).encode()
    check(path, data, "jsonl", "deeply nested JSON")


@tries()
@given(data=st.binary(max_size=200))
@example(data=b"\x01")
@example(data=b"\x80")
def test_random_bytes_as_a_docbin(path, data):
    check_docbin(path, data, "random bytes as `.spacy`")
    check_docbin(path, zlib.compress(data), "random bytes compressed as in `.spacy`")


@tries()
@given(data=st.data())
def test_a_damaged_docbin(path, data):
    whole = make_docbin()
    found = check_docbin(path, data.draw(mutated(whole)), "damaged `.spacy`")
    assert found in (None, check_docbin(path, whole, "sound `.spacy`"))
    inside = zlib.compress(data.draw(mutated(zlib.decompress(whole))))
    check_docbin(path, inside, "`.spacy` damaged inside of its compression")


def check(path: Path, data: bytes, format: str, kind: str) -> None:
    """Strictly and leniently, the file becomes Docs or an error, and no token is lost."""
    path = path.with_suffix(".ann") if format == "brat" else path
    path.write_bytes(data)
    strict = read(path, format, None)
    repairs: list[Repair] = []
    lenient = read(path, format, repairs)
    "\n".join(srsly.json_dumps(asdict(repair)) for repair in repairs).encode()
    if strict is not None:
        assert lenient is not None
        assert not repairs
        assert [contents(doc) for doc in lenient.docs] == [contents(doc) for doc in strict.docs]
    if lenient is not None:
        check_words(data, lenient, repairs)
    tally(kind, OUTCOMES[strict is not None, lenient is not None])


OUTCOMES = {
    (True, True): "read",
    (False, True): "read with repairs alone",
    (False, False): "refused",
}
"""By whether a file is read strictly, and leniently."""


def read(path: Path, format: str, repairs: list[Repair] | None) -> LoadedCorpus | None:
    """Read a file; None where it is refused as it should be."""
    try:
        corpus = read_corpus(path, NLP, format=format, repairs=repairs)
    except CorpusError as error:
        check_place(error, path)
        return None
    stored = (
        DocBin().from_bytes(DocBin(attrs=STORED, docs=corpus.docs).to_bytes()).get_docs(NLP.vocab)
    )
    assert [contents(doc) for doc in stored] == [contents(doc) for doc in corpus.docs]
    return corpus


def contents(doc: Doc) -> tuple[Any, ...]:
    """Tokens, entities, and which tokens have no annotation."""
    entities = [(entity.start, entity.end, entity.label_) for entity in doc.ents]
    return [token.text for token in doc], entities, [token.ent_iob == 0 for token in doc]


def check_place(error: CorpusError, path: Path) -> None:
    """The error names the file, and if a line, one that it has."""
    assert error.path == path
    assert str(error).startswith(f"{path}:")
    assert error.problem
    if error.line is not None:
        lines = path.read_bytes().split(b"\n")[error.line - 1 :]
        is_record = "record " in error.problem  # it has several lines, and a part of it is told
        assert is_record or (error.text or "").encode() in lines[0]


def check_words(data: bytes, corpus: LoadedCorpus, repairs: list[Repair]) -> None:
    """Every line's token or text is in the Docs, but for those that repairs say are left out."""
    if not corpus.found.startswith(LINES):
        return
    left_out = {repair.line for repair in repairs if repair.became == ""}
    is_jsonl = corpus.found == "jsonl"
    by_line = words_by_line(data.decode(), corpus.found)
    assert {line for line, word in by_line.items() if not word} <= left_out
    assert is_jsonl or not any(by_line[line] for line in left_out)
    expected = [word for line, word in by_line.items() if line not in left_out]
    words = [token.text for doc in corpus.docs for token in doc]
    assert ([doc.text for doc in corpus.docs] if is_jsonl else words) == expected


def words_by_line(text: str, found: str) -> dict[int, str]:
    """The token, or text, of each line that should have one. found: how the file was read."""
    lines = enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
    filled = {number: line.rstrip("\r") for number, line in lines if line.strip(BLANKS)}
    if found == "jsonl":
        return {number: text_in(line) for number, line in filled.items()}
    split = {number: re.split("[ \t]+", line.strip(BLANKS)) for number, line in filled.items()}
    if found.startswith("conll2012"):
        marks = ("#begin document", "#end document")
        return {
            number: (cells[3:4] or [""])[0]
            for number, cells in split.items()
            if not filled[number].startswith(marks)
        }
    by_tab = "split by tab" in found
    return {
        number: filled[number].rstrip(BLANKS).split("\t")[0].strip(BLANKS) if by_tab else cells[0]
        for number, cells in split.items()
        if cells[0] != "-DOCSTART-"
    }


def text_in(line: str) -> str:
    try:
        return json.loads(line)["text"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def make_docbin() -> bytes:
    doc = NLP(TEXT)
    doc.set_ents([Span(doc, 0, 2, "PERSON"), Span(doc, 4, 5, "GPE")])
    doc.spans["wrong"] = [Span(doc, 1, 3, "X")]
    return DocBin(attrs=STORED, docs=[doc, NLP("It rains."), NLP("")]).to_bytes()


def check_docbin(path: Path, data: bytes, kind: str) -> list[Any] | None:
    """What the file's Docs hold; None where it is refused as it should be."""
    path = path.with_suffix(".spacy")
    path.write_bytes(data)
    try:
        corpus = read_part(path, NLP)
    except CorpusError as error:
        check_place(error, path)
        tally(kind, "refused")
        return None
    tally(kind, "read")
    return [contents(doc) for doc in corpus.docs]
