"""Which format a file is taken for."""

import json

import pytest
from corpus_samples import CONLL2003, SAMPLE, SPANS, TEXT, TSV, to_lines

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import FORMATS, guess_format, read_corpus

LISTS = [[0, 12, "PERSON"]]
SAMPLES = {
    "columns": [TSV, "{\tO\n}\tO\n", "[[\tO\nx\tO\n", "[ O\n{ O\n"],
    "conll2003": [CONLL2003],
    "conll2012": [SAMPLE],
    "jsonl": [to_lines({"text": TEXT, "spans": SPANS}), json.dumps([{"text": TEXT}])],
    "prodigy": [to_lines({"text": TEXT}, {"text": TEXT, "spans": SPANS, "answer": "accept"})],
    "doccano": [to_lines({"text": TEXT}, {"text": TEXT, "label": LISTS})],
    "label-studio": [json.dumps([{"data": {"text": TEXT}, "annotations": []}])],
    "label-studio-min": [json.dumps([{"text": TEXT, "annotation_id": 1}])],
    "spacy2": [json.dumps([[TEXT, {"entities": LISTS}]]), to_lines([TEXT, {"entities": []}])],
    "gliner": [json.dumps([{"tokenized_text": ["a"], "ner": []}])],
    "hugging-face": [to_lines({"tokens": ["a"], "ner_tags": ["O"]})],
}


@pytest.mark.parametrize(("format", "content"), [(f, c) for f in SAMPLES for c in SAMPLES[f]])
def test_formats_are_known_by_their_content(write, format, content):
    assert guess_format(write(content, "corpus")) == format
    assert guess_format(write("\n" + content, "other")) == format


def test_brat_is_known_by_its_files(write):
    write("", "a.ann")
    assert guess_format(write(TSV, "a.txt")) == "brat"
    assert guess_format(write(TSV, "b.txt")) == "columns"


def test_there_is_a_sample_of_each():
    assert {*SAMPLES, "brat"} == set(FORMATS)


@pytest.mark.parametrize("format", [name for name in SAMPLES if name not in ("jsonl", "prodigy")])
@pytest.mark.parametrize("forced", FORMATS)
def test_another_format_is_an_error(write, nlp, format, forced):
    """A file is read as what it is, or refused."""
    path = write(SAMPLES[format][0], "corpus")
    if forced == format or {forced, format} <= {"columns", "conll2003"}:
        return
    with pytest.raises(CorpusError) as caught:
        print(read_corpus(path, nlp, format=forced).docs)
    assert str(path) in str(caught.value)


def test_an_unknown_format(write, nlp):
    with pytest.raises(ValueError, match=r"Unknown format: expected one of auto, .* got 'xml'"):
        read_corpus(write(TSV), nlp, format="xml")


@pytest.mark.parametrize("content", ["", "\n", "[]", "[ ]\n"])
def test_a_list_without_records(write, nlp, content):
    with pytest.raises(CorpusError, match="expected sentences, got none"):
        read_corpus(write(content, "a.json"), nlp)
