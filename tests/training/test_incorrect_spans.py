"""Spans that are known not to be entities: their probability, loss and gradient."""

from itertools import product

import numpy
import pytest
import spacy
from finite_differences import slope, softmax
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_hgn.tags.tag_set import TagSet
from spacy_hgn.training.incorrect_spans import incorrect_spans, span_loss, tags_of_span

VOCAB = spacy.blank("xx").vocab
LABELS = ("ORG", "PER")
SCHEMES = ("bio", "biluo")
PLACES = [(0, 1), (0, 2), (1, 3), (1, 4), (2, 4), (3, 4)]


def make_span(start, end, label="ORG", length=4):
    return Span(Doc(VOCAB, words=list("abcdefgh")[:length]), start, end, label=label)


def loss_over(span, labels, tag_set, probabilities):
    """The loss, and the gradient over all tokens of the text."""
    tags = tags_of_span(span, labels, tag_set)
    rows = slice(span.start, span.start + tags.shape[1])
    gradient = numpy.zeros_like(probabilities)
    loss, gradient[rows] = span_loss(probabilities[rows], tags)
    return loss, gradient


def is_there(names, start, end, label, scheme):
    """Whether the tags' names say that there is exactly this entity, as the scheme writes it."""
    begin, inside, last, unit = (f"{prefix}-{label}" for prefix in "BILU")
    here, behind = names[start:end], names[end : end + 1]
    if scheme == "bio":
        return here == [begin] + [inside] * (end - start - 1) and behind != [inside]
    if end - start == 1:
        return here == [unit]
    return here == [begin] + [inside] * (end - start - 2) + [last]


def enumerated(probabilities, span, labels, tag_set):
    """The probability of the entity, as a sum over all sequences of tags."""
    total = 0.0
    for tags in product(range(len(tag_set)), repeat=len(probabilities)):
        names = [tag_set.tags[tag] for tag in tags]
        if any(is_there(names, span.start, span.end, x, tag_set.scheme) for x in labels):
            total += numpy.prod([row[tag] for row, tag in zip(probabilities, tags)])
    return total


def random_logits(tag_set, tokens=4, scale=1.0):
    return scale * numpy.random.default_rng(0).normal(size=(tokens, len(tag_set)))


@pytest.mark.parametrize("labels", [("ORG",), LABELS], ids=["labelled", "unlabelled"])
@pytest.mark.parametrize(("start", "end"), [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_loss_is_that_of_the_probability_over_all_tag_sequences(scheme, start, end, labels):
    tag_set = TagSet(scheme, LABELS)
    span = make_span(start, end, length=3)
    probabilities = softmax(random_logits(tag_set, tokens=3))
    loss, _ = loss_over(span, labels, tag_set, probabilities)
    expected = -numpy.log(1 - enumerated(probabilities, span, labels, tag_set))
    assert loss == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("labels", [("PER",), LABELS], ids=["labelled", "unlabelled"])
@pytest.mark.parametrize(("start", "end"), PLACES)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_gradient_is_the_slope_of_the_loss(scheme, start, end, labels):
    tag_set = TagSet(scheme, LABELS)
    span = make_span(start, end)
    logits = random_logits(tag_set, scale=2.0)
    _, gradient = loss_over(span, labels, tag_set, softmax(logits))
    expected = slope(lambda p: loss_over(span, labels, tag_set, p)[0], logits)
    numpy.testing.assert_allclose(gradient, expected, atol=1e-7)
    assert gradient.any()


@pytest.mark.parametrize("certainty", [10, 30, 60, 300])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_certain_entity_has_a_full_gradient(scheme, certainty):
    tag_set = TagSet(scheme, LABELS)
    span = make_span(0, 4)
    (tags,) = tags_of_span(span, ("ORG",), tag_set)
    probabilities = softmax(certainty * tags).astype("float32")
    loss, gradient = loss_over(span, ("ORG",), tag_set, probabilities)
    assert numpy.isfinite(loss)
    assert numpy.isfinite(gradient).all()
    assert (abs(gradient) <= 1 + 1e-6).all()
    if certainty < 100:  # before float32 holds nothing but zeros
        assert gradient[tags].sum() == pytest.approx(1, abs=0.1)


def test_an_impossible_entity_has_none():
    tag_set = TagSet("bio", LABELS)
    probabilities = numpy.eye(len(tag_set), dtype="float32")[[0, 0, 0, 0]]
    loss, gradient = loss_over(make_span(1, 3), LABELS, tag_set, probabilities)
    assert loss == 0
    assert not gradient.any()


def test_the_end_counts_where_the_entity_could_go_on():
    tag_set = TagSet("bio", LABELS)
    assert tags_of_span(make_span(0, 2), ("ORG",), tag_set).shape == (1, 3, 5)
    assert tags_of_span(make_span(2, 4), ("ORG",), tag_set).shape == (1, 2, 5)
    span = make_span(0, 2)
    span.doc[2].is_sent_start = True
    assert tags_of_span(span, ("ORG",), tag_set).shape == (1, 2, 5)
    assert tags_of_span(make_span(0, 2), ("ORG",), TagSet("biluo", LABELS)).shape == (1, 2, 9)


# Which spans of an Example are meant


def found(spans, predicted="Acme Corp hired \n Ann", entities=()):
    reference = Doc(VOCAB, words=["Acme", "Corp", "hired", "\n", "Ann"])
    reference.set_ents([Span(reference, *entity) for entity in entities], default="missing")
    reference.spans["wrong"] = [Span(reference, *span) for span in spans]
    example = Example(Doc(VOCAB, words=predicted.split(" ")), reference)
    return [
        (span.start, span.end, labels)
        for span, labels in incorrect_spans(example, "wrong", TagSet("bio", LABELS))
    ]


def test_labelled_and_unlabelled_spans():
    assert found([(0, 2, "ORG"), (4, 5, "")]) == [(0, 2, ("ORG",)), (4, 5, LABELS)]


def test_spans_may_overlap_and_count_once():
    spans = [(0, 2, "ORG"), (0, 2, "PER"), (1, 2, "ORG"), (0, 2, "ORG")]
    assert found(spans) == [(0, 2, ("ORG",)), (0, 2, ("PER",)), (1, 2, ("ORG",))]


def test_spans_that_no_prediction_can_be_are_left_out():
    assert found([(2, 4, "ORG"), (0, 1, "FRUIT")]) == []
    assert found([(0, 1, "ORG"), (0, 2, "ORG")], "AcmeCorp hired \n Ann") == [(0, 1, ("ORG",))]


def test_no_spans_under_the_key():
    example = Example(Doc(VOCAB, words=["a"]), Doc(VOCAB, words=["a"]))
    assert list(incorrect_spans(example, "wrong", TagSet("bio", LABELS))) == []


@pytest.mark.parametrize("label", ["ORG", ""])
def test_an_entity_cannot_be_incorrect_too(label):
    with pytest.raises(ValueError, match=r"E868.*\(0, 9, "):
        found([(0, 2, label)], entities=[(0, 2, "ORG")])
    assert found([(0, 2, "PER")], entities=[(0, 2, "ORG")]) == [(0, 2, ("PER",))]
