"""The last step of a training is evaluated, whatever numbers are asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_hgn.training.evaluations import change_for_last_step, fit_evaluations


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_last_step_is_evaluated_and_little_else_changes(steps, frequency):
    found, each = fit_evaluations(steps, frequency)
    assert found % each == 0
    assert 0 <= found - steps < max(-(-steps // frequency), 1)
    assert each <= frequency
    assert each * 2 > min(frequency, steps) or found != steps


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((1000, 100), (1000, 100)),
        ((20, 100), (20, 20)),
        ((310, 62), (310, 62)),
        ((310, 50), (310, 31)),
        ((307, 50), (308, 44)),  # a prime number
        ((1, 50), (1, 1)),
    ],
)
def test_some_numbers(asked, expected):
    assert fit_evaluations(*asked) == expected


def change(**training):
    """What is changed where an epoch has 7 steps."""
    asked = {"max_steps": 0, "max_epochs": 0, "eval_frequency": 100, **training}
    return change_for_last_step(asked, lambda: 7)


def test_what_is_fine_is_left():
    assert change(max_steps=300) == {}
    assert change(patience=50) == {}  # the training ends when nothing gets better
    assert change(max_epochs=-1, max_steps=300) == {}  # a corpus that is streamed


def test_epochs_become_steps():
    assert change(max_epochs=3) == {"max_epochs": 0, "max_steps": 21, "eval_frequency": 21}
    fewer = change(max_epochs=30, max_steps=200)
    assert fewer == {"max_epochs": 0}  # 210 steps are more


def test_a_training_with_checkpoints_keeps_its_frequency():
    """With more steps it goes on, and its evaluations up to there are the same."""
    logger = {"@loggers": "spacy-hgn.Checkpoints.v1"}
    assert change(max_steps=310, logger=logger) == {"max_steps": 400}
    assert change(max_steps=20, logger=logger) == {"eval_frequency": 20}
