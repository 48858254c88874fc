"""F1 is seqeval's and conlleval's; what isn't annotated isn't counted."""

from itertools import chain

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2
from spacy.tokens import Doc, Span
from spacy.training import biluo_tags_to_spans, iob_to_biluo

from spacy_hgn.experiments.scores import get_gold, get_predicted, score

from .conlleval import count_chunks

VOCAB = spacy.blank("xx").vocab


@st.composite
def sentences(draw):
    """Two columns of valid IOB2 tags for each of some sentences."""
    lengths = draw(st.lists(st.integers(1, 8), min_size=1, max_size=6))
    return [(draw(tags(length)), draw(tags(length))) for length in lengths]


@st.composite
def tags(draw, length):
    found = []
    for _ in range(length):
        kind = draw(st.sampled_from(["O", "B-LOC", "B-PER", "I"]))
        before = found[-1] if found else "O"
        found.append(kind if kind != "I" else "O" if before == "O" else f"I-{before[2:]}")
    return found


def to_entities(column):
    doc = Doc(VOCAB, words=["x"] * len(column))
    doc.set_ents(biluo_tags_to_spans(doc, iob_to_biluo(column)))
    return get_gold(doc)


@given(sentences())
def test_equals_seqeval_and_conlleval(pairs):
    gold, predicted = (list(column) for column in zip(*pairs))
    found = score(list(map(to_entities, gold)), list(map(to_entities, predicted)))
    expected = classification_report(
        gold, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0
    )
    _assert_equal(found, expected.get("micro avg"))
    for label, of_type in found["types"].items():
        _assert_equal(of_type, expected[label])
    right, n_predicted, n_gold = count_chunks(*(_join(column) for column in (gold, predicted)))
    assert found["right"] == right
    assert found["right"] + found["in_vain"] == n_predicted
    assert found["right"] + found["missed"] == n_gold


def _assert_equal(found, expected):
    expected = expected or {"precision": 0, "recall": 0, "f1-score": 0}
    for mine, theirs in (("p", "precision"), ("r", "recall"), ("f", "f1-score")):
        assert found[mine] == pytest.approx(100 * expected[theirs], abs=0.001)


def _join(column):
    return list(chain.from_iterable([*sentence, "O"] for sentence in column))


def test_another_type_or_boundary_is_wrong_twice():
    gold = [[(0, 2, "PER"), (3, 4, "LOC")]]
    found = score(gold, [[(0, 1, "PER"), (3, 4, "PER")]])
    assert (found["right"], found["in_vain"], found["missed"]) == (0, 2, 2)
    assert found["types"]["LOC"]["missed"] == 1
    assert found["types"]["PER"]["in_vain"] == 2


def test_predictions_over_missing_annotation_are_not_counted():
    reference = Doc(VOCAB, words=list("abcd"))
    reference.set_ents([Span(reference, 0, 1, "PER")], missing=[reference[2:3]])
    doc = Doc(VOCAB, words=list("abcd"))
    doc.set_ents([Span(doc, 0, 1, "PER"), Span(doc, 2, 4, "PER")])
    assert get_predicted(doc, reference) == [(0, 1, "PER")]
