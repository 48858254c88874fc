"""Rows of like length run together, as if the batch had run whole."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.utils import ModelOutput

from spacy_hgn.hero import row_groups
from spacy_hgn.hero.row_groups import ON_CPU, ON_GPU, GroupLimits, group_rows

from .helpers import assert_same, vectors

TEXTS = ["Ada", "Ada met Grace in Lisbon , and they talked for hours about it .", "Hm ."] * 3


@pytest.mark.parametrize("limits", [ON_CPU, ON_GPU, GroupLimits(smallest=512, largest=700)])
@pytest.mark.parametrize("is_train", [False, True])
@given(lengths=st.lists(st.integers(1, 600), min_size=1, max_size=80))
def test_every_row_is_in_one_group(limits, is_train, lengths):
    groups = [group.tolist() for group in group_rows(lengths, limits, is_train)]
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[row] for row in group)
        assert is_train or len(group) == 1 or longest * len(group) <= limits.largest
        is_like = lengths[group[-1]] >= limits.like * longest
        assert is_like or longest * (len(group) - 1) < limits.smallest


def test_a_gpu_gets_a_batch_whole():
    lengths = [*range(3, 67)] * 2
    assert len(group_rows(lengths, ON_GPU)) == 1
    assert len(group_rows(lengths, ON_CPU)) > 5


def test_groups_change_no_vector_and_no_gradient(make_hero, english, monkeypatch):
    monkeypatch.setattr(row_groups, "ON_CPU", replace(ON_CPU, smallest=1))
    docs = [english.make_doc(text) for text in TEXTS]
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    grouped, whole = (make_hero("bert", transformer_config=no_dropout) for _ in range(2))
    monkeypatch.setattr(
        type(whole.shim), "takes_groups", lambda shim, is_train: shim is grouped.shim
    )
    assert_same(vectors(grouped, docs), vectors(whole, docs))
    for hero in (grouped, whole):
        batch, backprop = hero.begin_update(docs)
        hidden = batch.model_output["last_hidden_state"].detach()
        slope = torch.linspace(-1, 1, hidden.numel()).reshape(hidden.shape) * (hidden != 0)
        batch.model_output = ModelOutput(last_hidden_state=slope)
        backprop(batch)
    for ours, theirs in zip(grouped.shim._model.parameters(), whole.shim._model.parameters()):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4)
