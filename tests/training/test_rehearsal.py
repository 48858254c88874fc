"""The loss by which a student keeps to its teacher."""

import numpy
import pytest
import torch
from finite_differences import slope, softmax

from spacy_hgn.training import rehearsal

RNG = numpy.random.default_rng(0)
ALL = numpy.ones(5, dtype=bool)


def distil(*arrays):
    loss, gradient = rehearsal.distil(*map(torch.from_numpy, arrays))
    return loss.item(), gradient.numpy()


def logits(tags, tokens=3):
    return RNG.normal(size=(tokens, tags))


@pytest.mark.parametrize("new", [0, 2])
def test_the_gradient_is_the_slope_of_the_loss(new):
    teacher, student = softmax(logits(5)), logits(5 + new)
    _, gradient = distil(softmax(student), teacher, ALL)
    expected = slope(lambda p: distil(p, teacher, ALL)[0], student)
    numpy.testing.assert_allclose(gradient, expected, atol=1e-8)
    assert abs(gradient).max() > 0.01


def test_the_gradient_with_tags_that_the_teacher_has_and_does_not_know():
    known = numpy.array([True, True, True, False, False])
    teacher, student = softmax(logits(5)), logits(7)
    _, gradient = distil(softmax(student), teacher, known)
    expected = slope(lambda p: distil(p, teacher, known)[0], student)
    numpy.testing.assert_allclose(gradient, expected, atol=1e-8)


def test_agreement_costs_nothing():
    teacher = softmax(logits(5))
    loss, gradient = distil(teacher, teacher, ALL)
    assert loss == pytest.approx(0, abs=1e-12)
    numpy.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_disagreement_costs():
    assert distil(softmax(logits(5)), softmax(logits(5)), ALL)[0] > 0.1


def test_new_tags_may_take_from_outside_but_not_from_old_labels():
    outside = numpy.array([[1.0, 0.0, 0.0]])
    person = numpy.array([[0.0, 1.0, 0.0]])
    all_new = numpy.array([[0.0, 0.0, 0.0, 1.0, 0.0]])
    known = ALL[:3]
    assert distil(all_new, outside, known)[0] == pytest.approx(0)
    loss, gradient = distil(all_new, person, known)
    assert loss > 10
    assert gradient[0, 3] == 1
    assert gradient[0, 1] == -1
