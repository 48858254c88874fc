"""Gold that tells a part, tells what is wrong, or can't be learnt."""

import logging

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam

from .helpers import DATA, TEXTS, entities_of, keep_training, make_examples, make_nlp, train

TIM_COOK, APPLE, CUPERTINO = DATA[0][1]


@pytest.fixture
def nlp(cnn_folder):
    """The trained pipeline, freshly loaded, with incorrect spans under "wrong"."""
    return spacy.load(cnn_folder, config={"components.hgn_ner.incorrect_spans_key": "wrong"})


def gradient_of(nlp, example):
    """The gradient where the model has no idea."""
    ner = nlp.get_pipe("hgn_ner")
    n_tags = len(ner.tag_set)
    scores = numpy.full((len(example.predicted), n_tags), 1 / n_tags, dtype="float32")
    _, (gradient,) = ner.get_loss([example], [scores])
    return gradient


def taught(nlp, example):
    """The tokens that get a gradient."""
    return numpy.flatnonzero(gradient_of(nlp, example).any(axis=1)).tolist()


def made_wrong(nlp, *spans, entities=()):
    """An Example of the first text, without gold but for entities and incorrect spans."""
    reference = nlp.make_doc(TEXTS[0])
    reference.set_ents([Span(reference, *entity) for entity in entities], default="missing")
    reference.spans["wrong"] = [Span(reference, *span) for span in spans]
    return Example(nlp.make_doc(TEXTS[0]), reference)


# Missing


@pytest.mark.parametrize("default", ["missing", "outside"])
def test_tokens_that_set_ents_leaves_missing_teach_nothing(nlp, default):
    doc = nlp.make_doc(TEXTS[0])
    missing = [doc[5:7]] if default == "outside" else []
    doc.set_ents([Span(doc, 0, 2, "PERSON")], missing=missing, default=default)
    expected = {"missing": [0, 1], "outside": [0, 1, 2, 3, 4]}[default]
    assert taught(nlp, Example(nlp.make_doc(TEXTS[0]), doc)) == expected


def test_tokens_that_set_ents_marks_outside_teach_that(nlp):
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([], outside=[doc[2:4]], default="missing")
    assert taught(nlp, Example(nlp.make_doc(TEXTS[0]), doc)) == [2, 3]


def test_a_doc_without_annotation_teaches_nothing(nlp):
    assert taught(nlp, Example(nlp.make_doc(TEXTS[0]), nlp.make_doc(TEXTS[0]))) == []


# Incorrect spans


def test_incorrect_spans_teach_over_their_own_tokens_and_their_end(nlp):
    assert taught(nlp, made_wrong(nlp, (3, 4, "ORG"))) == [3, 4]
    assert taught(nlp, made_wrong(nlp, (4, 7, "ORG"))) == [4, 5, 6]
    assert taught(nlp, made_wrong(nlp, (3, 4, "ORG"), entities=[(0, 2, "PERSON")])) == [0, 1, 3, 4]


def test_incorrect_spans_are_read_where_there_is_a_key(nlp, cnn_nlp):
    example = made_wrong(nlp, (3, 4, "ORG"))
    assert cnn_nlp.get_pipe("hgn_ner").incorrect_spans_key is None
    assert taught(cnn_nlp, example) == []
    assert nlp.config["components"]["hgn_ner"]["incorrect_spans_key"] == "wrong"


def test_training_takes_a_wrong_entity_away_without_gold_for_the_rest(nlp):
    assert APPLE in entities_of(nlp(TEXTS[0]))
    losses = keep_training(nlp, [made_wrong(nlp, (3, 4, "ORG"))], Adam(0.001), 30)
    assert losses[-1] < losses[0] / 2
    found = entities_of(nlp(TEXTS[0]))
    assert APPLE not in found
    assert TIM_COOK in found
    assert CUPERTINO in found


def test_another_label_may_take_its_place_unless_the_span_is_unlabelled(nlp):
    ner = nlp.get_pipe("hgn_ner")
    begins = numpy.flatnonzero(ner.tag_set.begins)
    org = begins[ner.labels.index("ORG")]
    labelled = gradient_of(nlp, made_wrong(nlp, (3, 4, "ORG")))[3]
    assert (labelled > 0).nonzero()[0].tolist() == [org]
    unlabelled = gradient_of(nlp, made_wrong(nlp, (3, 4, "")))[3]
    assert (unlabelled > 0).nonzero()[0].tolist() == begins.tolist()
    keep_training(nlp, [made_wrong(nlp, (3, 4, ""))], Adam(0.001), 100)
    assert (APPLE[0], APPLE[1]) not in [ent[:2] for ent in entities_of(nlp(TEXTS[0]))]


def test_a_longer_or_shorter_entity_may_take_its_place(nlp):
    (tim,) = nlp.get_pipe("hgn_ner").tag_set.from_biluo(["B-PERSON"])
    gradient = gradient_of(nlp, made_wrong(nlp, (0, 2, "PERSON")))
    assert gradient[0, tim] > 0  # one of the entity's tags has to go
    inside = numpy.flatnonzero(nlp.get_pipe("hgn_ner").tag_set.continues)
    assert (gradient[2, inside] < 0).sum() == 1  # or it goes on


@pytest.mark.parametrize("label", ["ORG", ""])
def test_what_is_an_entity_and_incorrect_at_once_is_an_error(nlp, label):
    with pytest.raises(ValueError, match="E868"):
        nlp.update([made_wrong(nlp, (3, 4, label), entities=[(3, 4, "ORG")])])


# What can't be learnt


def example_of(nlp, reference, predicted, entities):
    """Entities on the reference's words, for the predicted words; each list is one text."""
    doc = Doc(nlp.vocab, words=reference, spaces=[False] * len(reference))
    doc.set_ents([Span(doc, *entity) for entity in entities])
    return Example(Doc(nlp.vocab, words=predicted, spaces=[False] * len(predicted)), doc)


def unfit(nlp):
    """An entity within a predicted token, one ending in white space, and one that is fine."""
    return [
        example_of(nlp, ["Bern", "-", "based", "Acme"], ["Bern-based", "Acme"], [(0, 1, "GPE")]),
        example_of(nlp, ["Ann", "\n", "came"], ["Ann", "\n", "came"], [(0, 2, "PERSON")]),
        *make_examples(nlp),
    ]


def test_initialize_names_and_counts_what_cannot_be_learnt(caplog):
    nlp = make_nlp()
    examples = unfit(nlp)
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        nlp.initialize(lambda: examples)
    (record,) = caplog.records
    assert record.getMessage() == (
        "hgn_ner can't learn 2 of the gold entities, and treats their tokens as missing: "
        "'Bern' (GPE, characters 0 to 4) doesn't match the tokens; "
        "'Ann\\n' (PERSON, characters 0 to 4) begins or ends in white space."
    )
    assert [entity.text for entity in nlp.get_pipe("hgn_ner").unlearnable] == ["Bern", "Ann\n"]


def test_training_names_what_initialize_did_not_see_once(nlp, caplog):
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        keep_training(nlp, unfit(nlp), Adam(0.0), 3)
    (record,) = caplog.records
    assert "can't learn 2 of the gold entities" in record.getMessage()
    assert len(nlp.get_pipe("hgn_ner").unlearnable) == 2


def test_entities_of_unknown_labels_are_named(nlp, caplog):
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        nlp.update(make_examples(nlp, [("Apple is sweet.", [(0, 5, "FRUIT")])]))
    assert "'Apple' (FRUIT, characters 0 to 5) has a label that the component" in caplog.text


def test_references_of_another_vocabulary(caplog):
    other, nlp = spacy.blank("xx"), make_nlp()
    predicted = [nlp.make_doc(text) for text in TEXTS]
    examples = [Example(doc, eg.reference) for doc, eg in zip(predicted, make_examples(other))]
    nlp.initialize(lambda: examples)
    keep_training(nlp, examples, Adam(0.01), 30)
    assert entities_of(nlp(TEXTS[0])) == DATA[0][1]
    (unknown,) = make_examples(other, [("Apple is sweet.", [(0, 5, "FRUIT")])])
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        nlp.update([Example(nlp.make_doc("Apple is sweet."), unknown.reference)])
    assert "has a label that the component doesn't know" in caplog.text


def test_entities_across_the_start_of_a_sentence_are_named_and_teach_nothing(nlp):
    (example,) = make_examples(nlp, [("New York City", [(0, 13, "GPE")])])
    assert taught(nlp, example) == [0, 1, 2]
    assert nlp.get_pipe("hgn_ner").unlearnable == ()
    example.predicted[1].is_sent_start = True
    assert taught(nlp, example) == []
    (entity,) = nlp.get_pipe("hgn_ner").unlearnable
    assert entity.reason == "crosses the start of a sentence"


def test_incorrect_spans_that_do_not_fit_are_named(nlp):
    example = example_of(nlp, ["Bern", "-", "based"], ["Bern-based"], [])
    example.reference.spans["wrong"] = [Span(example.reference, 0, 1)]
    nlp.update([example])
    (entity,) = nlp.get_pipe("hgn_ner").unlearnable
    assert (entity.text, entity.label, entity.reason) == ("Bern", "", "doesn't match the tokens")


def test_all_are_counted_and_the_first_ones_named(caplog):
    nlp = make_nlp()
    many = [example_of(nlp, [f"w{i}", "-"], [f"w{i}-"], [(0, 1, "X")]) for i in range(25)]
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        nlp.initialize(lambda: many)
        keep_training(nlp, many, Adam(0.0), 1)
    (record,) = caplog.records
    assert "can't learn 25 of the gold entities" in record.getMessage()
    assert record.getMessage().count("characters") == 10
    assert record.getMessage().endswith("all are in hgn_ner's `unlearnable`.")
    assert len(nlp.get_pipe("hgn_ner").unlearnable) == 25


def test_gold_that_fits_is_never_named(caplog):
    nlp = make_nlp()
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        train(nlp, steps=2)
    assert not caplog.records
    assert nlp.get_pipe("hgn_ner").unlearnable == ()
