"""Scores, and how they weigh in training."""

import pytest
import spacy

from .helpers import DATA, make_examples, make_nlp, train


def test_evaluate(cnn_nlp):
    scores = cnn_nlp.evaluate(make_examples(cnn_nlp))
    assert scores["ents_f"] == 1
    assert set(scores["ents_per_type"]) == {"PERSON", "ORG", "GPE"}
    assert scores["speed"] > 0


def test_evaluate_counts_whole_entities(cnn_nlp):
    gold = [(DATA[0][0], [(4, 8, "PERSON"), (14, 19, "ORG"), (25, 34, "ORG")])]
    scores = cnn_nlp.evaluate(make_examples(cnn_nlp, gold))
    assert scores["ents_p"] == pytest.approx(1 / 3)
    assert scores["ents_r"] == pytest.approx(1 / 3)
    assert scores["ents_per_type"]["PERSON"]["f"] == 0


def test_no_scorer_gives_no_scores():
    nlp = make_nlp(scorer=None)
    train(nlp, steps=1)
    assert "ents_f" not in nlp.evaluate(make_examples(nlp))
    assert nlp.get_pipe("hgn_ner").score(make_examples(nlp)) == {}


def test_weights_of_the_scores():
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner")
    expected = {"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None}
    assert nlp.config["training"]["score_weights"] == expected
