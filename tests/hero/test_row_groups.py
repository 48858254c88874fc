"""Rows of like length run together, as if the batch had run whole."""

import pytest
import spacy
import torch
from hypothesis import given
from hypothesis import strategies as st

from spacy_hgn.layers import row_groups
from spacy_hgn.layers.row_groups import group_rows

from .helpers import assert_same, make_hero, vectors

TEXTS = ["Ada", "Ada met Grace in Lisbon , and they talked for hours about it .", "Hm ."] * 3


@given(st.lists(st.integers(1, 600), min_size=1, max_size=80), st.sampled_from([None, 700, 4000]))
def test_every_row_is_in_one_group(lengths, limit):
    groups = [group.tolist() for group in group_rows(lengths, limit)]
    assert sorted(row for group in groups for row in group) == list(range(len(lengths)))
    for group in groups:
        longest = max(lengths[row] for row in group)
        assert limit is None or len(group) == 1 or longest * len(group) <= limit
        rest = lengths[group[-1]]
        assert rest >= row_groups.LIKE * longest or longest * (len(group) - 1) < 512


@pytest.fixture
def _small_groups(monkeypatch):
    monkeypatch.setattr(row_groups, "SMALLEST_GROUP", 1)


@pytest.mark.usefixtures("_small_groups")
def test_groups_change_no_vector_and_no_gradient(bert, monkeypatch):
    nlp = spacy.blank("en")
    docs = [nlp.make_doc(text) for text in TEXTS]
    grouped, whole = make_hero(bert), make_hero(bert)
    monkeypatch.setattr(type(whole.shim), "takes_groups", lambda shim, _: shim is grouped.shim)
    assert_same(vectors(grouped, docs), vectors(whole, docs))
    for hero in (grouped, whole):
        hero.shim._model.eval()
        hero.shim._model.train = lambda mode=True: None
        batch, backprop = hero.begin_update(docs)
        hidden = torch.as_tensor(batch.model_output["last_hidden_state"]).detach()
        d_hidden = torch.linspace(-1, 1, hidden.numel()).reshape(hidden.shape)
        batch.model_output = {"last_hidden_state": d_hidden * (hidden != 0)}
        backprop(batch)
    for ours, theirs in zip(grouped.shim._model.parameters(), whole.shim._model.parameters()):
        if theirs.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-4)
