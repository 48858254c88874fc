"""Luck and difference are told apart."""

import random
from itertools import product

import pytest

from spacy_hgn.experiments.scores import p_value, score

GOLD = [[(0, 1, "PER")] if i % 2 else [(0, 2, "LOC"), (3, 4, "PER")] for i in range(200)]


def predict(recall: float, seed: int):
    chance = random.Random(seed)
    return [[entity for entity in sentence if chance.random() < recall] for sentence in GOLD]


def test_identical_predictions_are_luck():
    predicted = predict(0.5, 0)
    assert p_value(GOLD, [predicted], [predicted]) == 1


def test_clear_difference_is_none():
    assert p_value(GOLD, [predict(0.9, 0)], [predict(0.5, 1)]) < 0.001


def test_same_system_with_other_seeds_is_luck():
    p = p_value(GOLD, [predict(0.7, 0), predict(0.7, 1)], [predict(0.7, 2), predict(0.7, 3)])
    assert p > 0.05


def test_order_of_the_systems_does_not_matter():
    one, other = predict(0.7, 0), predict(0.6, 1)
    assert p_value(GOLD, [one], [other]) == pytest.approx(p_value(GOLD, [other], [one]), abs=0.01)


def test_repeating_a_seed_adds_no_evidence():
    one, other = predict(0.7, 0), predict(0.6, 1)
    once, thrice = p_value(GOLD, [one], [other]), p_value(GOLD, [one] * 3, [other] * 3)
    assert thrice == pytest.approx(once, abs=0.01)


def test_equals_counting_all_swaps():
    gold, one, other = GOLD[:6], predict(0.8, 5)[:6], predict(0.3, 6)[:6]
    observed = _difference(gold, one, other)
    resampled = [
        _difference(gold, *zip(*((b, a) if swap else (a, b) for a, b, swap in zip(one, other, s))))
        for s in product([False, True], repeat=6)
    ]
    greater = sum(d >= observed - 1e-9 for d in resampled) / len(resampled)
    less = sum(d <= observed + 1e-9 for d in resampled) / len(resampled)
    assert p_value(gold, [one], [other]) == pytest.approx(min(1, 2 * min(greater, less)))


def test_one_sentence_is_no_evidence():
    assert p_value([[(0, 1, "PER")]], [[[(0, 1, "PER")]]], [[[]]]) == 1


def test_nothing_right_is_an_f1_of_zero():
    empty = [[] for _ in GOLD]
    assert p_value(GOLD, [empty], [predict(0.5, 0)]) < 0.001


def _difference(gold, one, other):
    return score(gold, one)["f"] - score(gold, other)["f"]
