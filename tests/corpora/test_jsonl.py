import json

import pytest
from corpus_samples import SPANS, TEXT, to_lines
from eager import entities_of as found
from eager import read_docs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.corpora.stats import count
from spacy_hgn.corpora.texts import IN_UTF16


def read_jsonl(path, nlp, **settings):
    return read_docs("jsonl", path, nlp, **settings)


FOUND = [("Ada Lovelace", "PERSON"), ("London", "GPE")]


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
    "blanks alone": (span(3, 4), r"span 3-4 ' ' \(X\) has only white space"),
    "something else than it says": (
        {"text": TEXT, "spans": [{"start": 0, "end": 3, "label": "X", "text": "Ann"}]},
        r"span 0-3 'Ada' \(X\) doesn't match its text, 'Ann'",
    ),
    "a key of a span": (
        {"text": TEXT, "spans": [{"start": 0, "end": 3, "label": "X", "not": True}]},
        'a span with an unknown key "not", expected one of end',
    ),
    "no span": ({"text": TEXT, "spans": ["Ada"]}, r"expected \[start, end, label\] .* got 'Ada'"),
    "beyond the text": (span(22, 99), r"span 22-99 \(X\) isn't in the text, which ends at 29"),
    "negative": (span(-7, 28), r"span -7-28 \(X\) isn't in the text"),
    "empty": (span(3, 3), r"span 3-3 \(X\) isn't in the text"),
    "no number": (span("0", 3), "expected integers as start and end"),
    "no label": (span(0, 3, None), "a string as label"),
    "empty label": (span(0, 3, ""), "a string as label"),
    "two numbers": ({"text": TEXT, "entities": [[0, 3]]}, r"expected \[start, end, label\]"),
    "overlap": (
        {"text": TEXT, "entities": [[0, 12, "A"], [4, 12, "B"]]},
        r"span 4-12 'Lovelace' \(B\) overlaps an earlier one \(A\)",
    ),
    "a place in UTF-16": (
        {"text": "\U0001f692 Al", "entities": [[3, 5, "X"]]},
        r"span 3-5 \(X\) isn't in the text, which ends at 4",
    ),
    "no text": ({"spans": []}, '"text" as a string, got None'),
    "empty text": ({"text": "", "spans": []}, '"text" with tokens'),
    "half a surrogate pair": ({"text": "\ud800", "spans": []}, "surrogate"),
    "both": ({"text": TEXT, "spans": [], "entities": []}, "got both"),
    "spans are no list": ({"text": TEXT, "spans": {}}, 'expected "spans" as a list'),
    "no object": ([1], "expected a JSON object, got list"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_lines_are_errors(write, nlp, case):
    record, problem = BAD[case]
    text = json.dumps(record)
    path = write(to_lines({"text": TEXT, "spans": SPANS}) + "\n" + text + "\n")
    with pytest.raises(CorpusError, match=problem) as caught:
        read_jsonl(path, nlp)
    assert (caught.value.line, caught.value.text) == (3, text)
    assert str(caught.value).startswith(f"{path}:3: ")


def test_no_json(write, nlp):
    with pytest.raises(CorpusError, match=":1: expected JSON") as caught:
        read_jsonl(write('{"text": "a\n'), nlp)
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
    assert count(read_corpus(path, nlp).docs).sentences == 1
    with pytest.raises(ValueError, match="jsonl doesn't support the setting merge"):
        read_corpus(path, nlp, merge=2)


def test_trimmed_spans_are_counted(write, nlp):
    text = "Ada \n Bo left\u00a0Rome \t"
    spans = [[0, 6, "A"], [5, 9, "B"], [13, 20, "C"]]
    corpus = read_corpus(write(to_lines({"text": text, "entities": spans}), "a.jsonl"), nlp)
    assert found(corpus.docs[0]) == [("Ada", "A"), ("Bo", "B"), ("Rome", "C")]
    assert corpus.counts == {"spans trimmed of blanks at their ends": 3}


@pytest.mark.parametrize(("start", "in_utf16"), [(5, {}), (6, {IN_UTF16: 1})])
def test_a_span_behind_an_emoji_is_where_its_words_are(write, nlp, start, in_utf16):
    span = {"start": start, "end": start + 2, "label": "PER", "text": "Al"}
    path = write(to_lines({"text": "\U0001f692 to Al", "spans": [span]}), "a.jsonl")
    corpus = read_corpus(path, nlp)
    assert found(corpus.docs[0]) == [("Al", "PER")]
    assert corpus.counts == in_utf16


def test_a_key_that_a_record_has_twice_is_an_error(write, nlp):
    path = write('{"text": "Hi", "spans": [], "spans": []}')
    with pytest.raises(CorpusError, match="the key 'spans' twice"):
        read_jsonl(path, nlp)


def test_spans_that_fit_are_not_counted(write, nlp):
    path = write(to_lines({"text": TEXT, "spans": SPANS}), "a.jsonl")
    assert not read_corpus(path, nlp).counts


@pytest.mark.parametrize("key", ["label", "cats", "verdict", "annotations"])
def test_a_key_that_is_not_known_is_refused_even_leniently(write, nlp, key):
    path = write(to_lines({"text": TEXT, "spans": SPANS}, {"text": TEXT, key: 1}), "a.jsonl")
    for repairs in (None, []):
        with pytest.raises(CorpusError, match=f'unknown key "{key}".*--ignore {key}') as caught:
            read_jsonl(path, nlp, repairs=repairs)
        assert caught.value.line == 2
    assert len(read_jsonl(path, nlp, ignore=(key,))) == 2


def test_a_span_that_does_not_say_where_it_is_makes_all_tokens_missing(write, nlp):
    record = {"text": TEXT, "entities": [[0, 12, "PERSON"], ["22", 28, "GPE"]]}
    [doc] = read_jsonl(write(to_lines(record)), nlp, repairs=[])
    assert found(doc) == [("Ada Lovelace", "PERSON")]
    assert [token.ent_iob for token in doc] == [3, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_records(write, nlp, indent):
    records = [{"text": TEXT, "spans": SPANS}, {"text": "Hi", "entities": []}]
    path = write(json.dumps(records, indent=indent), "a.json")
    first, second = read_corpus(path, nlp).docs
    assert found(first) == FOUND
    assert second.text == "Hi"


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ('[{"text": "Hi"},\n {"text": 1}]', 2, 'record 2: expected "text" as a string, got 1'),
        ('[{"text": "Hi"},\n {"text": ]', 2, "record 2: expected JSON, got an error"),
        ('[{"text": "Hi"}\n', 2, "expected a whole JSON list"),
        ('[{"text": "Hi"}\n] {}', 2, "expected a whole JSON list"),
        ('[{"text": "Hi"},]', 1, "record 2: expected JSON, got an error"),
        ('{\n"text": "Hi"}', 1, "expected JSON, got an error"),
    ],
)
def test_lists_that_are_broken(write, nlp, content, line, problem):
    path = write(content, "a.json")
    with pytest.raises(CorpusError, match=problem) as caught:
        read_corpus(path, nlp)
    assert caught.value.line == line


texts = st.text(st.sampled_from("ab \n\u00a0.é😀"), min_size=1, max_size=20)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts, st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=3))
def test_every_span_is_an_entity_or_an_error(tmp_path_factory, nlp, text, places):
    path = tmp_path_factory.mktemp("spans") / "a.jsonl"
    spans = [[start, end, "X"] for start, end in places]
    path.write_text(to_lines({"text": text, "entities": spans}), encoding="utf8")
    try:
        [doc] = read_jsonl(path, nlp)
    except CorpusError:
        return
    expected = sorted((start, text[start:end].strip()) for start, end in places)
    assert [entity.text for entity in doc.ents] == [words for _, words in expected]
