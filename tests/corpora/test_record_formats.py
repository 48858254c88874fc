"""spaCy 2's training data, and the token lists of GLiNER and Hugging Face."""

import json

import pytest
from corpus_samples import TEXT, to_lines
from eager import entities_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_hgn.cli.corpus_options import read_tag_names
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.corpora.stats import count

FOUND = [("Ada Lovelace", "PERSON"), ("London", "GPE")]
PAIR = [TEXT, {"entities": [[0, 12, "PERSON"], [22, 28, "GPE"]]}]
WORDS = ["Ada", "Lovelace", "lived", "in", "London", "."]
GLINER = {"tokenized_text": WORDS, "ner": [[0, 1, "PERSON"], [4, 4, "GPE"]]}
TAGS = ["B-PERSON", "I-PERSON", "O", "O", "B-GPE", "O"]
NAMES = ("O", "B-PERSON", "I-PERSON", "B-GPE", "I-GPE")
NUMBERS = [NAMES.index(tag) for tag in TAGS]


@pytest.mark.parametrize(
    "content", [json.dumps([PAIR, PAIR]), json.dumps([PAIR, PAIR], indent=1), to_lines(PAIR, PAIR)]
)
def test_spacy2(write, nlp, content):
    corpus = read_corpus(write(content, "train.json"), nlp)
    assert corpus.found == "spacy2"
    assert [entities_of(doc) for doc in corpus.docs] == [FOUND, FOUND]


@pytest.mark.parametrize("as_list", [True, False])
def test_gliner(write, nlp, as_list):
    content = json.dumps([GLINER, GLINER]) if as_list else to_lines(GLINER, GLINER)
    corpus = read_corpus(write(content, "train.json"), nlp, merge=2)
    assert corpus.found == "gliner, last token of an entity included"
    [doc] = corpus.docs
    assert entities_of(doc) == FOUND * 2
    assert [token.text for token in doc] == WORDS * 2
    assert count(corpus.docs).sentences == 2


@pytest.mark.parametrize("tags", [TAGS, NUMBERS])
def test_hugging_face(write, nlp, tags):
    record = {"id": "0", "tokens": WORDS, "ner_tags": tags, "pos_tags": [1] * 6}
    corpus = read_corpus(write(to_lines(record)), nlp, tag_names=NAMES)
    assert corpus.found == 'hugging-face, tags in "ner_tags", IOB2'
    assert entities_of(corpus.docs[0]) == FOUND


def test_integers_without_names_are_refused_even_leniently(write, nlp):
    path = write(to_lines({"tokens": WORDS, "ner_tags": NUMBERS}))
    for repairs in (None, []):
        with pytest.raises(CorpusError, match=r'"ner_tags" are integers.*--tag-names'):
            read_corpus(path, nlp, repairs=repairs)


def test_names_of_tags(write):
    assert read_tag_names("O, B-X,I-X") == ["O", "B-X", "I-X"]
    assert read_tag_names("") == []
    names = {"feature": {"names": ["O", "B-X"], "_type": "ClassLabel"}, "_type": "Sequence"}
    info = json.dumps({"features": {"ner_tags": names}})
    assert read_tag_names(str(write(info, "dataset_info.json"))) == ["O", "B-X"]
    assert read_tag_names(str(write('["O"]', "names.json"))) == ["O"]
    for content in ("{}", "[1]", "{", '{"features": 1}'):
        with pytest.raises(CorpusError, match="expected"):
            read_tag_names(str(write(content, "names.json")))


def test_a_tag_that_can_not_be_read_takes_its_entity_along(write, nlp):
    record = {"tokens": WORDS, "ner_tags": ["B-X", "??", "O", "O", "B-Y", "O"]}
    path = write(to_lines(record))
    with pytest.raises(CorpusError, match=r"record 1: unknown tag '\?\?'.*'Lovelace \?\?'"):
        read_corpus(path, nlp)
    [doc] = read_corpus(path, nlp, repairs=[]).docs
    assert entities_of(doc) == [("London", "Y")]
    assert [token.ent_iob for token in doc] == [0, 0, 2, 2, 3, 2]


BAD = {
    "spacy2": {
        "no pair": ([TEXT], r"expected \[text, .* got \['Ada"),
        "no object": ([TEXT, [[0, 12, "X"]]], r"expected \[text,"),
        "no entities": ([TEXT, {}], 'expected "entities" as a list, got None'),
        "key": ([TEXT, {"entities": [], "cats": {}}], 'unknown key "cats"'),
        "misaligned": ([TEXT, {"entities": [[0, 2, "X"]]}], "misaligned span 0-2"),
    },
    "gliner": {
        "no tokens": ({"ner": []}, '"tokenized_text" as a list, got None'),
        "empty": ({**GLINER, "tokenized_text": []}, '"tokenized_text" with tokens'),
        "no word": ({**GLINER, "tokenized_text": ["a", ""]}, "\"tokenized_text\" of words, got ''"),
        "no entities": ({"tokenized_text": WORDS}, '"ner" as a list, got None'),
        "behind the end": ({**GLINER, "ner": [[4, 6, "X"]]}, "whose last token is 5"),
        "overlap": ({**GLINER, "ner": [[0, 1, "X"], [1, 1, "Y"]]}, "overlaps an earlier one"),
        "no label": ({**GLINER, "ner": [[0, 1]]}, r'"ner" as \[first token, last token, label\]'),
        "key": ({**GLINER, "ner_labels": ["X"]}, 'unknown key "ner_labels"'),
    },
    "hugging-face": {
        "no tags": ({"tokens": WORDS}, '"ner_tags" as a list, got None'),
        "too few": ({"tokens": WORDS, "ner_tags": TAGS[1:]}, 'as many "ner_tags" as "tokens", 6'),
        "no tag": ({"tokens": ["a"], "ner_tags": [None]}, "that are strings or integers from 0"),
        "no name": ({"tokens": ["a"], "ner_tags": [5]}, "integers from 0 to 4, got 5"),
        "line end": ({"tokens": ["a"], "ner_tags": ["\n"]}, "that are strings"),
        "impossible": ({"tokens": ["a", "b"], "ner_tags": ["O", "I-X"]}, "impossible tag I-X"),
        "no word": ({"tokens": ["a", 1], "ner_tags": ["O", "O"]}, '"tokens" of words, got 1'),
        "key": ({"tokens": ["a"], "ner_tags": ["O"], "spans": []}, 'unknown key "spans"'),
    },
}
GOOD = {
    "spacy2": PAIR,
    "gliner": GLINER,
    "hugging-face": {"tokens": WORDS, "ner_tags": TAGS},
}


@pytest.mark.parametrize(("format", "case"), [(f, case) for f in BAD for case in BAD[f]])
def test_bad_records_are_errors(write, nlp, format, case):
    record, problem = BAD[format][case]
    names = {"tag_names": NAMES} if format == "hugging-face" else {}
    path = write(to_lines(GOOD[format], record), "train.jsonl")
    with pytest.raises(CorpusError, match=problem) as caught:
        read_corpus(path, nlp, format=format, **names)
    assert caught.value.line == 2
    if caught.value.can_be_repaired:
        repairs = []
        assert read_corpus(path, nlp, format=format, repairs=repairs, **names).docs
        assert {repair.line for repair in repairs} == {2}


places = st.lists(st.tuples(st.integers(-1, 6), st.integers(-1, 6)), max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(places)
def test_entities_of_gliner_are_all_there_or_an_error(write, nlp, places):
    entities = [[first, last, "X"] for first, last in places]
    path = write(to_lines({**GLINER, "ner": entities}))
    repairs = []
    [lenient] = read_corpus(path, nlp, repairs=repairs).docs
    assert len(lenient.ents) == len(places) - len(repairs)
    assert {(e.start, e.end - 1) for e in lenient.ents} <= set(places)
    if not repairs:
        [doc] = read_corpus(path, nlp).docs
        assert [e.text for e in doc.ents] == [e.text for e in lenient.ents]
