import pytest
import spacy
from corpus_samples import SPANS, TEXT, to_lines
from eager import entities_of, pack_docs, read_docs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.tags.tag_set import TagSet
from spacy_hgn.training.incorrect_spans import incorrect_spans

FOUND = [("Ada Lovelace", "PERSON"), ("London", "GPE")]
BANK = "The bank of the river was steep."
WRONG = [{"start": 4, "end": 8, "label": "ORG"}]
HASHES = {"_input_hash": 1, "_task_hash": -2, "_session_id": None, "_view_id": "ner_manual"}
RECORDS = [
    {"text": TEXT, "spans": SPANS, "answer": "accept", **HASHES},
    {"text": BANK, "spans": WRONG, "answer": "reject", **HASHES},
    {"text": BANK, "spans": [], "answer": "reject", **HASHES},
    {"text": "Paris Hilton was late.", "spans": [], "answer": "ignore", **HASHES},
]


def test_accepted_records_are_gold_and_the_others_are_left_out(write, nlp):
    corpus = read_corpus(write(to_lines(*RECORDS), "train.jsonl"), nlp)
    assert corpus.found == "prodigy"
    [doc] = corpus.docs
    assert entities_of(doc) == FOUND
    assert [token.ent_iob for token in doc] == [3, 1, 2, 2, 3, 2]
    assert corpus.counts == {
        "records accepted": 1,
        "records rejected, left out": 2,
        "records ignored, left out": 1,
    }


def test_spans_of_rejected_records_become_incorrect_spans(write, nlp):
    corpus = read_corpus(write(to_lines(*RECORDS), "train.jsonl"), nlp, rejected="wrong")
    first, second = DocBin().from_bytes(pack_docs(corpus.docs).to_bytes()).get_docs(nlp.vocab)
    assert "wrong" not in first.spans
    assert not second.ents
    assert [token.ent_iob for token in second] == [0] * len(second)
    assert [(span.text, span.label_) for span in second.spans["wrong"]] == [("bank", "ORG")]
    example = Example(nlp.make_doc(BANK), second)
    assert len(list(incorrect_spans(example, "wrong", TagSet("bio", ("ORG",))))) == 1
    assert corpus.counts['records rejected, their spans are wrong ones: doc.spans["wrong"]'] == 1
    assert corpus.counts["records rejected, left out"] == 1


@pytest.mark.parametrize("mark", [{"_is_binary": True}, {"_view_id": "ner"}])
def test_a_yes_to_a_suggestion_says_nothing_of_other_tokens(write, nlp, mark):
    record = {**RECORDS[0], **mark}
    [doc] = read_docs("prodigy", write(to_lines(record)), nlp)
    assert entities_of(doc) == FOUND
    assert [token.ent_iob for token in doc] == [3, 1, 0, 0, 3, 0]


def test_spans_with_an_answer_each(write, nlp):
    spans = [{**SPANS[0], "answer": "accept"}, {**SPANS[1], "answer": "reject"}]
    path = write(to_lines({"text": TEXT, "spans": spans, "answer": "accept"}))
    [doc] = read_docs("prodigy", path, nlp, rejected="wrong")
    assert entities_of(doc) == FOUND[:1]
    assert [span.text for span in doc.spans["wrong"]] == ["London"]
    assert [token.ent_iob for token in doc] == [3, 1, 0, 0, 0, 0]
    corpus = read_corpus(path, nlp)
    assert entities_of(corpus.docs[0]) == FOUND[:1]
    assert corpus.counts["spans rejected, left out"] == 1


def test_what_ner_teach_says_of_a_span_is_known(write, nlp):
    span = {**SPANS[0], "text": "Ada Lovelace", "rank": 0, "score": 0.4, "source": "en"}
    [doc] = read_docs("prodigy", write(to_lines({**RECORDS[0], "spans": [span]})), nlp)
    assert entities_of(doc) == FOUND[:1]


def test_several_annotators_of_a_text_must_agree(write, nlp):
    other = {**RECORDS[0], "_annotator_id": "bo", "spans": SPANS[::-1]}
    corpus = read_corpus(write(to_lines(RECORDS[0], other)), nlp)
    assert [entities_of(doc) for doc in corpus.docs] == [FOUND]
    assert corpus.counts["further annotations of a text, the same, left out"] == 1
    path = write(to_lines(RECORDS[0], {**other, "spans": SPANS[:1]}))
    with pytest.raises(CorpusError, match=":2: annotated differently in line 1"):
        read_corpus(path, nlp)
    shown = {**other, "spans": SPANS[:1], "_view_id": "ner"}  # yes or no, to one of several spans
    assert len(read_corpus(write(to_lines(RECORDS[0], shown)), nlp).docs) == 2


def test_reviewed_records_and_spans_of_relations(write, nlp):
    reviewed = {**RECORDS[0], "_view_id": "review", "view_id": "ner_manual", "versions": []}
    related = {**RECORDS[0], "_input_hash": 2, "spans": [{**SPANS[0], "type": "span"}]}
    docs = read_docs("prodigy", write(to_lines({**reviewed, "sessions": []}, related)), nlp)
    assert list(map(entities_of, docs)) == [FOUND, FOUND[:1]]


def test_relations_are_passed_over_and_counted(write, nlp):
    record = {**RECORDS[0], "relations": [{"head": 0, "child": 4, "label": "IN"}]}
    corpus = read_corpus(write(to_lines(record)), nlp)
    assert entities_of(corpus.docs[0]) == FOUND
    assert corpus.counts["texts with relations, which are passed over"] == 1


BAD = {
    "no answer": ({"text": TEXT}, '"answer" as one of accept, reject, ignore, got None'),
    "another answer": ({**RECORDS[0], "answer": "maybe"}, "got 'maybe'"),
    "no text": ({"answer": "accept"}, '"text" as a string, got None'),
    "no list": ({**RECORDS[0], "spans": {}}, 'expected "spans" as a list, got {}'),
    "misaligned": (
        {**RECORDS[0], "_input_hash": 9, "spans": [{"start": 0, "end": 2, "label": "X"}]},
        "misaligned span 0-2",
    ),
    "a span's answer": (
        {**RECORDS[0], "_input_hash": 9, "spans": [{**SPANS[0], "answer": "ignore"}]},
        "\"answer\" of a span as accept or reject, got 'ignore'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_records_are_errors(write, nlp, case):
    record, problem = BAD[case]
    path = write(to_lines(*RECORDS, record), "train.jsonl")
    with pytest.raises(CorpusError, match=problem) as caught:
        read_corpus(path, nlp)
    assert caught.value.line == 5
    repairs = []
    assert read_corpus(path, nlp, repairs=repairs).docs
    assert [repair.line for repair in repairs] == [5]


@pytest.mark.parametrize("key", ["options", "accept", "image", "label_type"])
def test_keys_that_are_not_known_are_refused(write, nlp, key):
    with pytest.raises(CorpusError, match=f'unknown key "{key}"'):
        read_corpus(write(to_lines({**RECORDS[0], key: []})), nlp, repairs=[])


def test_an_answer_behind_many_records_without_one_is_refused(write, nlp):
    records = [{"text": TEXT, "spans": SPANS}] * 60
    path = write(to_lines(*records, RECORDS[1]), "train.jsonl")
    with pytest.raises(CorpusError, match='unknown key "answer"'):
        read_corpus(path, nlp)


answers = st.lists(st.sampled_from(["accept", "reject", "ignore"]), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(answers, st.sampled_from([None, "wrong"]))
def test_every_record_is_a_doc_or_counted(write, answers, rejected):
    nlp = spacy.blank("xx")
    records = [{"text": TEXT, "spans": SPANS, "answer": answer} for answer in answers]
    n_docs = answers.count("accept") + (answers.count("reject") if rejected else 0)
    path = write(to_lines(*records))
    if not n_docs:
        with pytest.raises(CorpusError, match="expected sentences, got none"):
            read_corpus(path, nlp, rejected=rejected)
        return
    corpus = read_corpus(path, nlp, rejected=rejected)
    assert len(corpus.docs) == n_docs
    assert sum(len(doc.ents) for doc in corpus.docs) == 2 * answers.count("accept")
    assert corpus.counts.total() == len(answers)
