import pytest
from corpus_samples import TEXT, to_lines
from eager import entities_of

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus

FOUND = [("Ada Lovelace", "PERSON"), ("London", "GPE")]
LISTS = [[0, 12, "PERSON"], [22, 28, "GPE"]]
OBJECTS = [
    {"id": 7, "label": "PERSON", "start_offset": 0, "end_offset": 12},
    {"id": 8, "label": "GPE", "start_offset": 22, "end_offset": 28},
]
STYLES = {
    "label": {"label": LISTS},
    "labels": {"labels": LISTS},
    "entities and relations": {"entities": OBJECTS, "relations": [], "Comments": []},
    "the first versions": {"entities": LISTS, "username": "admin"},
    "entities alone": {"entities": OBJECTS},
    "annotations": {"annotations": OBJECTS, "meta": {}, "annotation_approver": None},
}


@pytest.mark.parametrize("style", STYLES)
def test_styles(write, nlp, style):
    path = write(to_lines({"id": 1, "text": TEXT, **STYLES[style]}), "admin.jsonl")
    corpus = read_corpus(path, nlp)
    assert corpus.found == "doccano"
    assert entities_of(corpus.docs[0]) == FOUND
    assert not corpus.counts


def test_the_key_of_the_text_in_version_1_5(write, nlp):
    corpus = read_corpus(write(to_lines({"id": 1, "data": TEXT, "label": LISTS})), nlp)
    assert entities_of(corpus.docs[0]) == FOUND


def test_places_behind_an_emoji_have_to_be_told(write, nlp):
    text = "\U0001f692 Bo met Al"  # JavaScript counts the emoji as two
    path = write(to_lines({"text": text, "label": [[10, 12, "PER"]]}))
    with pytest.raises(CorpusError, match="expected --offsets utf16 or --offsets characters"):
        read_corpus(path, nlp)
    [doc] = read_corpus(path, nlp, offsets="utf16").docs
    assert entities_of(doc) == [("Al", "PER")]
    before = write(to_lines({"text": "Al met \U0001f692", "label": [[0, 2, "PER"]]}))
    assert entities_of(read_corpus(before, nlp).docs[0]) == [("Al", "PER")]


def test_relations_are_passed_over_and_counted(write, nlp):
    relations = [{"id": 1, "from_id": 7, "to_id": 8, "type": "lived in"}]
    path = write(to_lines({"text": TEXT, "entities": OBJECTS, "relations": relations}))
    assert read_corpus(path, nlp).counts == {"texts with relations, which are passed over": 1}


def test_a_text_without_entities_and_one_without_annotation(write, nlp):
    path = write(to_lines({"text": "Hi there", "label": []}, {"text": "Hi there"}))
    empty, untold = read_corpus(path, nlp).docs
    assert [token.ent_iob for token in empty] == [2, 2]
    assert [token.ent_iob for token in untold] == [0, 0]


BAD = {
    "a class": ({"text": TEXT, "label": "positive"}, '"label" as a list, got \'pos'),
    "classes": ({"text": TEXT, "label": ["positive"]}, r"expected \[start, end, label\].*positive"),
    "numbered labels": (
        {"text": TEXT, "annotations": [{**OBJECTS[0], "label": 4}]},
        "a string as label",
    ),
    "two keys": ({"text": TEXT, "label": [], "entities": []}, "got label and entities"),
    "no text": ({"label": []}, '"text" as a string, got None'),
    "a column of its own": ({"text": TEXT, "label": [], "verdict": "no"}, 'unknown key "verdict"'),
    "a span's key": (
        {"text": TEXT, "entities": [{**OBJECTS[0], "negated": True}]},
        'unknown key "negated"',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_records_are_errors(write, nlp, case):
    record, problem = BAD[case]
    path = write(to_lines({"text": TEXT, "label": LISTS}, record), "admin.jsonl")
    with pytest.raises(CorpusError, match=problem) as caught:
        read_corpus(path, nlp, format="doccano")
    assert caught.value.line == 2
