import json

import pytest
from corpus_samples import SPANS, TEXT, to_lines

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.corpora.jsonl import read_jsonl

FOUND = [("Ada Lovelace", "PERSON"), ("London", "GPE")]


def found(doc):
    return [(entity.text, entity.label_) for entity in doc.ents]


@pytest.mark.parametrize(
    "annotation",
    [
        {"spans": SPANS},
        {"spans": SPANS[::-1], "meta": {"id": 1}},
        {"entities": [[22, 28, "GPE"], [0, 12, "PERSON"]]},
        {"entities": SPANS, "spans": None},
    ],
)
def test_spans(write, nlp, annotation):
    [doc] = read_jsonl(write(to_lines({"text": TEXT, **annotation})), nlp)
    assert doc.text == TEXT
    assert [token.text for token in doc][-2:] == ["London", "."]
    assert found(doc) == FOUND
    assert doc[2].ent_iob == 2


def test_text_without_annotation_is_missing(write, nlp):
    empty, untold = read_jsonl(
        write(to_lines({"text": "Hi there", "spans": []}, {"text": "Hi there"})), nlp
    )
    assert [token.ent_iob for token in empty] == [2, 2]
    assert [token.ent_iob for token in untold] == [0, 0]


def test_bom_crlf_blank_lines_and_no_final_newline(write, nlp):
    lines = to_lines({"text": TEXT, "spans": SPANS}, {"text": "Hi\u2028you", "spans": []})
    expected = [(doc.text, found(doc)) for doc in read_jsonl(write(lines), nlp)]
    other = b"\xef\xbb\xbf" + lines.rstrip("\n").replace("\n", "\r\n\r\n").encode()
    assert [(doc.text, found(doc)) for doc in read_jsonl(write(other), nlp)] == expected
    assert expected[1][0] == "Hi\u2028you"


def span(start, end, label="X"):
    return {"text": TEXT, "spans": [{"start": start, "end": end, "label": label}]}


BAD = {
    "misaligned": (
        span(22, 27),
        r"misaligned span 22-27 'Londo' \(X\), tokens there: \['London'\]",
    ),
    "blank at its end": (span(0, 4), r"misaligned span 0-4 'Ada ' \(X\)"),
    "beyond the text": (span(22, 99), r"span 22-99 \(X\) isn't in the text, which ends at 29"),
    "negative": (span(-7, 28), r"span -7-28 \(X\) isn't in the text"),
    "empty": (span(3, 3), r"span 3-3 \(X\) isn't in the text"),
    "no number": (span("0", 3), "expected integers as start and end"),
    "no label": (span(0, 3, None), "a string as label"),
    "empty label": (span(0, 3, ""), "a string as label"),
    "two numbers": ({"text": TEXT, "entities": [[0, 3]]}, "expected integers as start and end"),
    "overlap": (
        {"text": TEXT, "entities": [[0, 12, "A"], [4, 12, "B"]]},
        r"span 4-12 'Lovelace' \(B\) overlaps one before it \(A\)",
    ),
    "no text": ({"spans": []}, '"text" that is a string, got None'),
    "empty text": ({"text": "", "spans": []}, '"text" with tokens'),
    "half a surrogate pair": ({"text": "\ud800", "spans": []}, "surrogate"),
    "both": ({"text": TEXT, "spans": [], "entities": []}, "got both"),
    "spans are no list": ({"text": TEXT, "spans": {}}, 'expected "spans" that are a list'),
    "no object": ([1], "expected a JSON object, got list"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_lines_are_errors(write, nlp, case):
    record, problem = BAD[case]
    text = json.dumps(record)
    path = write(to_lines({"text": TEXT, "spans": SPANS}) + "\n" + text + "\n")
    with pytest.raises(CorpusError, match=problem) as caught:
        list(read_jsonl(path, nlp))
    assert (caught.value.line, caught.value.text) == (3, text)
    assert str(caught.value).startswith(f"{path}:3: ")


def test_no_json(write, nlp):
    with pytest.raises(CorpusError, match=":1: expected JSON") as caught:
        list(read_jsonl(write('{"text": "a\n'), nlp))
    assert caught.value.text == '{"text": "a'


def test_lenient_makes_tokens_of_bad_spans_missing(write, nlp):
    records = [
        {"text": TEXT, "entities": [[0, 12, "PERSON"], [22, 27, "GPE"]]},
        {"text": TEXT, "entities": [[0, 3, "A"], [0, 12, "B"]]},
    ]
    repairs = []
    first, second = read_jsonl(write(to_lines(*records) + "{\n"), nlp, repairs=repairs)
    assert found(first) == [("Ada Lovelace", "PERSON")]
    assert [token.ent_iob for token in first] == [3, 1, 2, 2, 0, 2]
    assert found(second) == [("Ada", "A")]
    assert [token.ent_iob for token in second] == [3, 0, 2, 2, 2, 2]
    told = [(repair.line, repair.was, repair.became) for repair in repairs]
    assert told == [
        (1, '[22, 27, "GPE"]', "missing"),
        (2, '[0, 12, "B"]', "missing"),
        (3, "{", ""),
    ]


def test_texts_are_not_merged(write, nlp):
    path = write(to_lines({"text": TEXT, "spans": SPANS}))
    assert read_corpus(path, nlp).sentences == 1
    with pytest.raises(ValueError, match="jsonl can't follow the setting merge: expected 1, got 2"):
        read_corpus(path, nlp, merge=2)
