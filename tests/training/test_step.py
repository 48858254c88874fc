"""The parts of a step's mean: its tokens, and its loss told batch by batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_hgn.backend.step_size import StepSize
from spacy_hgn.training.step_loss import StepLoss

BATCHES = st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50)), min_size=1)
"""The loss and the tokens of each."""


@given(BATCHES)
def test_what_batches_add_is_the_mean_over_all_of_their_tokens(batches):
    batches = [(total if tokens else 0.0, tokens) for total, tokens in batches]
    loss = StepLoss()
    told = sum(loss.add(total, tokens) for total, tokens in batches)
    tokens = sum(tokens for _, tokens in batches)
    assert told == pytest.approx(sum(total for total, _ in batches) / max(tokens, 1), abs=1e-6)


def test_a_new_step_starts_at_nothing():
    loss = StepLoss()
    loss.add(10.0, 5)
    loss.begin()
    assert loss.add(9.0, 3) == 3.0


def test_nobody_counting_is_another_thing_than_nothing_to_count():
    size = StepSize()
    assert size.tokens is None
    size.add(1, 0)
    assert size.tokens == 0
    size.clear()
    assert size.tokens is size.last is None


def test_batches_of_a_teacher_add_up_and_teachers_do_not():
    size = StepSize()
    for teacher, tokens in ((1, 10), (1, 20), (2, 25)):
        size.add(teacher, tokens)
    assert size.tokens == 30


def test_another_number_takes_the_place_of_all():
    size = StepSize()
    size.add(1, 10)
    size.set(7)
    assert size.tokens == 7


def test_after_its_end_a_step_is_told_of_until_the_next_one_begins():
    size = StepSize()
    size.add(1, 10)
    size.end()
    assert (size.tokens, size.last) == (None, 10)
    size.add(1, 3)
    assert (size.tokens, size.last) == (3, 3)
