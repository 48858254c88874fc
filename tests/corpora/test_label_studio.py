import copy
import json

import pytest
from corpus_samples import TEXT
from eager import entities_of

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus

FOUND = [("Ada Lovelace", "PERSON"), ("London", "GPE")]
REGIONS = [
    {"start": 0, "end": 12, "text": "Ada Lovelace", "labels": ["PERSON"]},
    {"start": 22, "end": 28, "text": "London", "labels": ["GPE"]},
]
RESULTS = [
    {"id": f"r{i}", "type": "labels", "value": region, "from_name": "label", "to_name": "text"}
    for i, region in enumerate(REGIONS)
]


def task(*annotations, **more):
    return {"id": 1, "data": {"text": TEXT}, "annotations": list(annotations), **more}


def annotation(*results, **more):
    return {"id": 5, "completed_by": 1, "result": list(results), "was_cancelled": False, **more}


@pytest.fixture
def read(write, nlp):
    def read_tasks(*tasks, **settings):
        path = write(json.dumps(tasks, indent=1), "export.json")
        return read_corpus(path, nlp, **settings)

    return read_tasks


def test_tasks(read):
    extra = {"predictions": [], "created_at": "2026", "total_annotations": 1, "meta": {}}
    corpus = read(task(annotation(*RESULTS), **extra))
    assert corpus.found == "label-studio"
    assert entities_of(corpus.docs[0]) == FOUND
    assert not corpus.counts


def test_the_key_of_older_versions_and_another_name_of_the_text(read):
    older = {"completions": [annotation(*RESULTS)], "data": {"body": TEXT, "n": 1}}
    assert entities_of(read(older).docs[0]) == FOUND


def test_tasks_that_were_skipped_or_not_annotated_are_left_out(read):
    skipped = task(annotation(*RESULTS, was_cancelled=True))
    corpus = read(task(annotation()), skipped, task(predictions=[{"result": RESULTS}]))
    [doc] = corpus.docs
    assert [token.ent_iob for token in doc] == [2] * 6
    assert corpus.counts == {
        "tasks skipped by the annotator, left out": 1,
        "tasks without annotation, left out": 1,
    }


def test_several_annotators(read):
    same = task(annotation(*RESULTS), annotation(*RESULTS[::-1]))
    truth = task(annotation(), annotation(*RESULTS, ground_truth=True))
    skipped = task(annotation(was_cancelled=True), annotation(*RESULTS))
    for each in (same, truth, skipped):
        assert entities_of(read(each).docs[0]) == FOUND
    with pytest.raises(CorpusError, match="record 1: 2 annotations that differ, expected one"):
        read(task(annotation(), annotation(*RESULTS)))


def test_what_a_reviewer_rejected_is_left_out(read):
    rejected = annotation(*RESULTS[:1], last_action="rejected")
    corpus = read(task(rejected), task(rejected, annotation(*RESULTS)))
    assert [entities_of(doc) for doc in corpus.docs] == [FOUND]
    assert corpus.counts == {"tasks rejected by a reviewer, left out": 1}


def test_labels_of_two_sets_are_refused_unless_one_is_passed_over(read):
    both = task(annotation(RESULTS[0], {**RESULTS[1], "from_name": "mood"}))
    with pytest.raises(CorpusError, match=r"one set of labels, got label and mood.*--ignore mood"):
        read(both)
    assert entities_of(read(both, ignore=("mood",)).docs[0]) == FOUND[:1]


def test_relations_and_choices_are_passed_over_and_counted(read):
    others = [{"type": "relation", "from_id": "r0", "to_id": "r1"}, {"type": "choices"}]
    corpus = read(task(annotation(*RESULTS, *others)))
    assert entities_of(corpus.docs[0]) == FOUND
    assert corpus.counts == {
        "results of the type relation, passed over": 1,
        "results of the type choices, passed over": 1,
    }


def changed(path, value):
    record = copy.deepcopy(task(annotation(*RESULTS)))
    *parents, last = path
    place = record
    for key in parents:
        place = place[key]
    place[last] = value
    return record


RESULT = ("annotations", 0, "result", 0)
BAD = {
    "key": (changed(["verdict"], 1), 'unknown key "verdict".*--ignore verdict'),
    "data": (changed(["data"], None), '"data" as an object, got None'),
    "two texts": (changed(["data"], {"a": "x", "b": "y"}), 'one text in "data", got the keys a, b'),
    "no text": (changed(["data"], {}), 'one text in "data", got the keys none'),
    "annotations": (changed(["annotations"], {}), '"annotations" as a list of objects'),
    "result": (changed(["annotations", 0, "result"], None), '"result" as a list'),
    "type": (changed([*RESULT, "type"], "brushlabels"), "\"type\" of labels.*got 'brushlabels'"),
    "result's key": (changed([*RESULT, "negated"], True), 'unknown key "negated"'),
    "value": (changed([*RESULT, "value"], None), '"value" of a region, got None'),
    "value's key": (changed([*RESULT, "value", "xpath"], "/p"), 'unknown key "xpath"'),
    "two labels": (changed([*RESULT, "value", "labels"], ["A", "B"]), '"labels" of one label'),
    "quote": (changed([*RESULT, "value", "end"], 3), "doesn't match its text, 'Ada Love"),
    "xpath": (changed([*RESULT, "value", "start"], "/p/text"), "expected integers as start"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tasks_are_errors(read, case):
    record, problem = BAD[case]
    with pytest.raises(CorpusError, match=problem) as caught:
        read(task(annotation(*RESULTS)), record, format="label-studio")
    assert "record 2: " in str(caught.value)
    assert caught.value.line > 1


def test_min(read):
    records = [
        {"id": 1, "text": TEXT, "label": REGIONS, "annotator": 1, "annotation_id": 3},
        {"id": 2, "text": TEXT, "annotator": 1, "annotation_id": 4, "lead_time": 1.5},
    ]
    corpus = read(*records)
    assert corpus.found == "label-studio-min"
    first, second = corpus.docs
    assert entities_of(first) == FOUND
    assert [token.ent_iob for token in second] == [2] * 6


def test_each_annotation_of_a_task_is_a_record_of_min(read):
    first = {"id": 1, "text": TEXT, "label": REGIONS, "annotator": 1}
    corpus = read(first, {**first, "annotator": 2, "label": REGIONS[::-1]})
    assert [entities_of(doc) for doc in corpus.docs] == [FOUND]
    with pytest.raises(CorpusError, match="record 2: annotated differently in line 2"):
        read(first, {**first, "annotator": 2, "label": REGIONS[:1]})


BAD_MIN = {
    "a choice": ({"text": TEXT, "mood": "good", "label": REGIONS}, 'unknown key "mood"'),
    "no text": ({"label": REGIONS}, "expected one text, got the keys label"),
    "two lists": ({"text": TEXT, "a": REGIONS, "b": REGIONS}, "one key, got a and b"),
    "no list": ({"text": TEXT, "label": {}}, 'unknown key "label"'),
    "no annotation": ({"text": TEXT}, '"annotation_id" or regions, got None'),
    "no label": ({"text": TEXT, "label": [{"start": 0, "end": 3}]}, '"labels" of one label'),
}


@pytest.mark.parametrize("case", BAD_MIN)
def test_bad_records_of_min_are_errors(read, case):
    record, problem = BAD_MIN[case]
    with pytest.raises(CorpusError, match=problem) as caught:
        read({"text": TEXT, "label": REGIONS}, record, format="label-studio-min")
    assert "record 2: " in str(caught.value)
