"""Embeddings send the same gradients back as PyTorch's dense ones."""

import copy

import torch
from torch import nn

from spacy_hgn.hero.embedding_gradients import EmbeddingGradients


def backward(embedding, *batches):
    for ids in batches:
        embedding(torch.tensor(ids)).pow(2).sum().backward()


def test_gradients_equal_dense_ones():
    dense = nn.Embedding(50, 4, padding_idx=0)
    ours = copy.deepcopy(dense)
    gradients = EmbeddingGradients()
    gradients.make_sparse(ours)
    for batches in ([[3, 3, 7], [7, 0]], [[49]]):  # two steps, the second begins anew
        gradients.lay_tables(ours)
        backward(ours, *batches)
        backward(dense, *batches)
        assert ours.weight.grad.layout == torch.strided
        assert torch.equal(ours.weight.grad, dense.weight.grad)
        ours.weight.grad = dense.weight.grad = None


def test_what_was_not_used_yet_is_kept():
    embedding = nn.Embedding(5, 2)
    gradients = EmbeddingGradients()
    gradients.make_sparse(embedding)
    gradients.lay_tables(embedding)
    backward(embedding, [1])
    before = embedding.weight.grad.clone()
    gradients.lay_tables(embedding)
    assert torch.equal(embedding.weight.grad, before)


def test_frozen_embeddings_are_left_alone():
    embedding = nn.Embedding(5, 2)
    embedding.weight.requires_grad_(False)
    gradients = EmbeddingGradients()
    gradients.make_sparse(embedding)
    gradients.lay_tables(embedding)
    assert not embedding.sparse
    assert embedding.weight.grad is None
