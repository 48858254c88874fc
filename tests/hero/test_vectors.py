"""A text's vectors are the same alone and in any batch, and those of spacy-transformers."""

import logging

import numpy
import pytest
from spacy.tokens import Doc
from spacy_transformers.layers import TransformerModel
from spacy_transformers.span_getters import get_doc_spans, get_strided_spans
from tiny_heroes import WIDTH

from .helpers import ARCHITECTURES, TEXTS, assert_same, vectors

ASCII = ["Apple hired Tim Cook in 1998.", "I don't like rain, it's wet", "London"]
LONG = "Nobody knows why the start-up was sold. " * 8


@pytest.mark.parametrize("name", ["bert", "bert-cased", "roberta"])
def test_vectors_are_those_of_spacy_transformers(name, hero_folders, make_hero, english):
    stock = TransformerModel(hero_folders[name], get_doc_spans, {"use_fast": True})
    docs = [english(text) for text in ASCII]
    stock.initialize(X=docs)
    for found, expected in zip(vectors(make_hero(name), docs), vectors(stock, docs), strict=True):
        numpy.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vectors_do_not_depend_on_the_batch(name, short_hero, english):
    hero = short_hero(name)
    docs = [english(text) for text in TEXTS]
    alone = [vectors(hero, [doc])[0] for doc in docs]
    assert_same(vectors(hero, docs), alone)
    assert_same(vectors(hero, docs[::-1]), alone[::-1])
    assert_same(vectors(hero, [*docs, english(LONG)])[:-1], alone)
    assert_same(vectors(hero, [english(LONG), *docs])[1:], alone)

    empty, none = english(""), numpy.zeros((0, WIDTH))
    assert_same(vectors(hero, [empty, docs[0], empty, empty, docs[1]]), [
        none, alone[0], none, none, alone[1],
    ])  # fmt: skip


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_doc_twice_in_a_batch(name, short_hero, english):
    hero = short_hero(name)
    doc, other = english(LONG), english(TEXTS[0])
    [alone], [other_alone] = vectors(hero, [doc]), vectors(hero, [other])
    assert_same(vectors(hero, [doc, other, doc]), [alone, other_alone, alone])


def test_empty_docs_alone(make_hero, english):
    batch = make_hero("bert").predict([english(""), english("")])
    assert [data.align.lengths.sum() for data in batch.doc_data] == [0, 0]
    assert make_hero("bert").predict([]).doc_data == []


def test_overlapping_spans_agree_with_the_docs_alone(make_hero, english):
    def get_spans(docs):
        return get_strided_spans(docs, window=5, stride=3)

    hero = make_hero("xlnet", get_spans=get_spans)
    docs = [english(text) for text in TEXTS]
    assert_same(vectors(hero, docs), [vectors(hero, [doc])[0] for doc in docs])


def test_a_token_that_no_span_covers_is_blank(make_hero, english):
    hero = make_hero("bert", get_spans=lambda docs: [[doc[1:3]] for doc in docs])
    [found] = vectors(hero, [english("I like London and Berlin")])
    assert found.any(axis=1).tolist() == [False, True, True, False, False]


def test_spans_that_leave_out_a_text_are_refused(make_hero, english):
    hero = make_hero("bert", get_spans=lambda docs: [[] for _ in docs])
    with pytest.raises(ValueError, match="get_spans"):
        hero.predict([english("I like London")])


@pytest.mark.parametrize("blank", ["\u200b", "\x07", "\u200d\u200b", "\ufeff"])
def test_tokens_without_pieces_are_zero_and_change_nothing(blank, make_hero, english):
    hero = make_hero("bert")
    words = ["Apple", blank, "hired", "Tim", blank]
    doc = Doc(english.vocab, words=words)
    others = Doc(english.vocab, words=[word for word in words if word != blank])
    [found] = vectors(hero, [doc])
    is_blank = numpy.array([word == blank for word in words])
    assert not found[is_blank].any()
    assert_same([found[~is_blank]], vectors(hero, [others]))


def test_a_text_of_blank_tokens_alone(make_hero, english):
    [found, _] = vectors(make_hero("bert"), [english("\u200b\u200b \x07"), english("a")])
    assert len(found)
    assert not found.any()


def test_blank_tokens_are_counted_once_in_the_log(make_hero, english, caplog):
    hero = make_hero("bert")
    doc = english("Apple \u200b hired \x07 Tim")
    with caplog.at_level(logging.INFO, "spacy_hgn"):
        hero.predict([english("  white \n\n space \t"), english("")])
        assert not caplog.messages
        hero.predict([doc, doc])
        hero.predict([doc])
    [message] = caplog.messages
    assert message.startswith("4 token(s) have no word piece")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_bfloat16_comes_near_to_float32(name, make_hero, english):
    docs = [english(text) for text in TEXTS]
    exact = numpy.concatenate(vectors(make_hero(name), docs))
    found = numpy.concatenate(vectors(make_hero(name, precision="bfloat16"), docs))
    assert found.dtype == numpy.float32
    rows = exact.any(axis=1)
    assert (rows == found.any(axis=1)).all()
    products = (exact * found)[rows].sum(axis=1)
    norms = numpy.linalg.norm(exact[rows], axis=1) * numpy.linalg.norm(found[rows], axis=1)
    assert (products / norms > 0.99).all()
    assert not (exact == found).all()


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_hidden_states_and_attentions_have_a_row_a_span(name, precision, make_hero, english):
    config = {"output_hidden_states": True, "output_attentions": True}
    hero = make_hero(name, transformer_config=config, precision=precision)
    batch = hero.predict([english("I like London"), english("Apple hired Tim Cook")])
    for data in batch.doc_data:
        assert set(data.model_output) == {"last_hidden_state", "hidden_states", "attentions"}
        for arrays in (data.model_output.hidden_states, data.model_output.attentions):
            assert {(len(array), array.dtype.name) for array in arrays} == {(1, "float32")}
