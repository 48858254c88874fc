"""What is told of gradients: their norm before clipping, and how many steps were clipped."""

import logging

import pytest
import torch

from spacy_hgn.backend.gradient_norms import Clipping, GradientNorms


def add(norms, values, clip=1.0):
    for value in values:
        norms.add(torch.tensor(value), clip)


def test_each_step_is_read_once():
    norms = GradientNorms()
    assert norms.read() is None
    add(norms, [0.5, 2.0, 4.0])
    assert norms.read() == Clipping(steps=3, median=2.0, share=pytest.approx(2 / 3))
    assert norms.read() is None
    add(norms, [0.25])
    assert norms.read() == Clipping(steps=1, median=0.25, share=0.0)


def test_without_clipping_nothing_is_clipped(caplog):
    norms = GradientNorms()
    add(norms, [100.0] * 200, clip=0.0)
    assert norms.read() == Clipping(steps=200, median=100.0, share=0.0)
    assert not caplog.records


def test_a_long_training_is_remembered_in_part():
    norms = GradientNorms()
    add(norms, [5.0] * 500 + [0.5] * 1000)
    assert norms.read() == Clipping(steps=1000, median=0.5, share=0.0)


def test_warns_once_where_nearly_all_steps_are_clipped(caplog):
    norms = GradientNorms()
    with caplog.at_level(logging.WARNING):
        add(norms, [465.0] * 97 + [0.5] * 3)
        add(norms, [465.0] * 200)
    (record,) = caplog.records
    message = record.getMessage()
    assert "97 % of the last 100 steps were clipped" in message
    assert "norm was 465" in message
    assert "grad_clip is 1" in message
    assert "Raise grad_clip" in message


def test_does_not_warn_where_most_are(caplog):
    norms = GradientNorms()
    with caplog.at_level(logging.WARNING):
        add(norms, ([2.0] * 94 + [0.5] * 6) * 3)
    assert not caplog.records
