"""Blocks bound what prediction holds in memory, and change no answer."""

import numpy
import pytest
import spacy
import torch
from thinc.api import Adam

from spacy_hgn.backend import memory
from spacy_hgn.hero import row_groups
from spacy_hgn.tagger.flat import BLOCK_TOKENS
from spacy_hgn.tagger.hero_gang import HeroGang

from .helpers import DATA, LISTENER, TEXTS, make_examples, make_hero_nlp, make_nlp, train

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


def check_blocks(nlp, monkeypatch, size):
    lengths = (3, 50, 0, 8, 9, 41, 1, 7)
    words = (WORDS * 3)[:50]
    texts = [words[:length] for length in lengths]
    whole = probabilities(nlp, [spacy.tokens.Doc(nlp.vocab, words=t) for t in texts])
    monkeypatch.setitem(BLOCK_TOKENS, "cpu", size)
    parts = probabilities(nlp, [spacy.tokens.Doc(nlp.vocab, words=t) for t in texts])
    assert [len(part) for part in parts] == list(lengths)
    for part, expected in zip(parts, whole):
        numpy.testing.assert_allclose(part, expected, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 8, 41, 1000])
def test_blocks_change_no_probability(hero_nlp, monkeypatch, size):
    check_blocks(hero_nlp, monkeypatch, size)


@pytest.mark.parametrize("pooling", ["reduce_mean.v1", "reduce_last.v1"])
def test_blocks_of_several_pieces_a_token(tiny_bert, monkeypatch, pooling):
    listener = {**LISTENER, "pooling": {"@layers": pooling}}
    nlp = make_hero_nlp(tiny_bert, tok2vec=listener, windows=[3], precision="float32")
    nlp.initialize(lambda: make_examples(nlp))
    check_blocks(nlp, monkeypatch, 8)


def test_blocks_of_the_plain_transformer(tiny_bert, monkeypatch):
    nlp = make_hero_nlp(tiny_bert, windows=[])
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    check_blocks(nlp, monkeypatch, 8)


def test_blocks_of_a_hero_that_is_no_listener(monkeypatch):
    nlp = make_nlp()
    train(nlp, steps=2)
    check_blocks(nlp, monkeypatch, 8)


def test_blocks_of_a_hero_inside_of_the_component(hero_nlp, monkeypatch):
    hero_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    hero_nlp.remove_pipe("transformer")
    check_blocks(hero_nlp, monkeypatch, 8)


def test_long_docs_are_read_in_blocks(hero_nlp, monkeypatch):
    monkeypatch.setitem(BLOCK_TOKENS, "cpu", 10)
    seen = []
    forward = HeroGang.forward

    def see(module, z, lengths):
        seen.append((len(z), lengths))
        return forward(module, z, lengths)

    monkeypatch.setattr(HeroGang, "forward", see)
    hero_nlp(spacy.tokens.Doc(hero_nlp.vocab, words=(WORDS * 3)[:45]))
    # With up to three neighbours on each side.
    assert seen == [(13, [13]), (16, [16]), (16, [16]), (16, [16]), (8, [8])]


def test_freed_memory_is_given_back_for_long_texts(hero_nlp, monkeypatch):
    calls = []
    monkeypatch.setattr(row_groups, "give_back_freed", lambda: calls.append(1))
    list(hero_nlp.pipe(TEXTS))
    assert not calls
    monkeypatch.setattr(row_groups, "ON_CPU", row_groups.GroupLimits(smallest=512, largest=40))
    hero_nlp(" ".join(TEXTS * 5))
    assert len(calls) > 1


def test_sparse_zeros_are_zeros():
    zeros = memory.sparse_zeros((3, 5, 2), torch.ones(1))
    assert zeros.dtype == torch.float32
    assert torch.equal(zeros, torch.zeros(3, 5, 2))
    zeros += 1
    assert zeros.sum() == 30
