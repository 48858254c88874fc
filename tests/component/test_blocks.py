"""Blocks bound what prediction holds in memory, and change no answer."""

import numpy
import pytest
import spacy
import torch
from thinc.api import Adam

from spacy_hgn import blocks
from spacy_hgn.layers import hero_gang, memory, row_groups

from .helpers import DATA, TEXTS, make_examples, make_hero_nlp, make_nlp, train

WORDS = " ".join(text for text, _ in DATA).split()


def probabilities(nlp, docs):
    for name, pipe in nlp.pipeline:
        if name != "hgn_ner":
            docs = list(pipe.pipe(docs))
    return nlp.get_pipe("hgn_ner").predict(docs)


@pytest.fixture
def hero_nlp(tiny_bert):
    nlp = make_hero_nlp(tiny_bert, windows=[1, 7], precision="float32")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=Adam(0.01))
    return nlp


def check_blocks(nlp, monkeypatch, module, size):
    lengths = (3, 50, 0, 8, 9, 41, 1, 7)
    words = (WORDS * 3)[:50]
    texts = [words[:length] for length in lengths]
    whole = probabilities(nlp, [spacy.tokens.Doc(nlp.vocab, words=t) for t in texts])
    monkeypatch.setattr(module, "BLOCK_TOKENS", size)
    parts = probabilities(nlp, [spacy.tokens.Doc(nlp.vocab, words=t) for t in texts])
    assert [len(part) for part in parts] == list(lengths)
    for part, expected in zip(parts, whole):
        numpy.testing.assert_allclose(part, expected, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 8, 41, 1000])
@pytest.mark.parametrize("module", [blocks, hero_gang], ids=["component", "gang"])
def test_blocks_change_no_probability(hero_nlp, monkeypatch, module, size):
    check_blocks(hero_nlp, monkeypatch, module, size)


def test_blocks_of_the_plain_transformer(tiny_bert, monkeypatch):
    nlp = make_hero_nlp(tiny_bert, windows=[])
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    check_blocks(nlp, monkeypatch, blocks, 8)


def test_a_hero_that_is_no_listener_sees_docs_whole(monkeypatch):
    nlp = make_nlp()
    train(nlp, steps=2)
    check_blocks(nlp, monkeypatch, blocks, 8)


def test_long_docs_are_read_in_blocks(hero_nlp, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_TOKENS", 10)
    ner = hero_nlp.get_pipe("hgn_ner")
    seen = []
    forward = ner.model._func

    def see(model, docs, is_train):
        seen.append(sum(map(len, docs)))
        return forward(model, docs, is_train)

    monkeypatch.setattr(ner.model, "_func", see)
    hero_nlp(spacy.tokens.Doc(hero_nlp.vocab, words=(WORDS * 3)[:45]))
    assert seen == [13, 16, 16, 16, 8]  # with up to three neighbours on each side


def test_freed_memory_is_given_back_for_long_texts(hero_nlp, monkeypatch):
    calls = []
    monkeypatch.setattr(row_groups, "give_back_freed", lambda: calls.append(1))
    list(hero_nlp.pipe(TEXTS))
    assert not calls
    monkeypatch.setattr(row_groups, "LARGEST_GROUP", 40)
    hero_nlp(" ".join(TEXTS * 5))
    assert len(calls) > 1


def test_sparse_zeros_are_zeros():
    zeros = memory.sparse_zeros((3, 5, 2), torch.ones(1))
    assert zeros.dtype == torch.float32
    assert torch.equal(zeros, torch.zeros(3, 5, 2))
    zeros += 1
    assert zeros.sum() == 30
