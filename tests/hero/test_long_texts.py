"""Texts with more pieces than the Hero holds."""

import logging
from functools import partial
from itertools import pairwise

import numpy
import pytest
from spacy.tokens import Doc
from spacy_transformers.span_getters import get_doc_spans, get_strided_spans
from tiny_heroes import MAX_PIECES

from spacy_hgn.hero.word_pieces import encode_spans

from .helpers import ARCHITECTURES, aligned_pieces, assert_same, vectors

SENTENCE = "Apple hired Tim Cook , who doesn't regret São Paulo 's metformin é ( 500 mg ) !"
WORDS = SENTENCE.split()
WINDOWS = partial(get_strided_spans, window=128, stride=96)


@pytest.fixture
def long_doc(english):
    return Doc(english.vocab, words=(WORDS * 25)[:400])


def watch_lengths(hero):
    """Record the length of the sequences that reach the torch module."""
    lengths = []
    hero.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["input_ids"].shape[1]),
        with_kwargs=True,
    )
    return lengths


@pytest.mark.parametrize("get_spans", [WINDOWS, get_doc_spans])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_token_has_a_vector(name, get_spans, short_hero, long_doc):
    hero = short_hero(name, get_spans=get_spans)
    lengths = watch_lengths(hero)
    [found] = vectors(hero, [long_doc])
    assert found.any(axis=1).all()
    assert max(lengths) <= MAX_PIECES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_room_is_needed_for_tokens_without_pieces(name, short_hero, english):
    hero = short_hero(name)
    lengths = watch_lengths(hero)
    vectors(hero, [english("\u200b a" * 40), english("a " * 100 + "\x07 \u200b b")])
    assert max(lengths) <= MAX_PIECES


@pytest.mark.parametrize("name", ["bert", "roberta", "roberta-json", "deberta"])
def test_the_limit_is_read_from_tokenizer_and_config(name, make_hero, long_doc):
    hero = make_hero(name)
    assert hero.shim.max_pieces == MAX_PIECES
    hero.predict([long_doc])


def test_xlnet_states_no_limit_and_is_held_to_512(make_hero, english):
    hero = make_hero("xlnet")
    lengths = watch_lengths(hero)
    [found] = vectors(hero, [Doc(english.vocab, words=WORDS * 30)])
    assert found.any(axis=1).all()
    assert 256 < max(lengths) <= 512


@pytest.mark.parametrize("get_spans", [WINDOWS, get_doc_spans])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_token_is_seen_where_it_stands_furthest_from_a_cut(name, get_spans, short_hero, long_doc):
    hero = short_hero(name, get_spans=get_spans)
    batch = hero.predict([long_doc])
    [spans], [data] = batch.spans, batch.doc_data
    row_width = data.wordpieces.input_ids.shape[1]
    found_rows = [pieces[0] // row_width for pieces in aligned_pieces(data)]
    for token, row in zip(long_doc, found_rows, strict=True):
        margins = [margin(span, token.i) for span in spans]
        assert row == margins.index(max(margins))

    [found] = vectors(hero, [long_doc])
    of_spans = vectors(hero, [span.as_doc() for span in spans])
    expected = [of_spans[row][i - spans[row].start] for i, row in enumerate(found_rows)]
    assert_same([found], [numpy.array(expected)])


def margin(span, i):
    """Tokens between token i and the nearest end of the span that isn't the text's."""
    if not span.start <= i < span.end:
        return -1
    left = i - span.start if span.start > 0 else 10_000
    right = span.end - 1 - i if span.end < len(span.doc) else 10_000
    return min(left, right)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parts_are_long_and_overlap(name, short_hero, english):
    doc = Doc(english.vocab, words=["é"] * 200)  # XLNet and DeBERTa: a lone ▁ before each
    [parts] = encode_spans(short_hero(name).tokenizer, [doc[:]], MAX_PIECES)
    assert {token.i for part in parts for token in part.span} == set(range(200))
    assert all(len(part.ids) > MAX_PIECES // 2 for part in parts[:-1])
    for part, following in pairwise(parts):
        assert part.span.start < following.span.start < part.span.end


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_token_of_2000_letters(name, short_hero, english, caplog):
    hero = short_hero(name, get_spans=partial(get_strided_spans, window=4, stride=2))
    lengths = watch_lengths(hero)
    doc = Doc(english.vocab, words=["I", "like", "xy" * 1000, "and", "Berlin", "."])
    with caplog.at_level(logging.INFO, "spacy_hgn"):
        [found] = vectors(hero, [doc])
    assert max(lengths) <= MAX_PIECES
    if name == "bert":  # one [UNK]
        assert not caplog.messages
    else:
        [message] = caplog.messages
        assert message.startswith("1 token(s) have more word pieces than the Hero holds (64)")
    assert found.any(axis=1).all()


@pytest.mark.parametrize("blank", ["\n", " ", "\t", "\n ", "\u3000"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_2000_blanks(name, blank, short_hero, english, caplog):
    hero = short_hero(name)
    lengths = watch_lengths(hero)
    docs = [english(blank * 2000), english("Apple hired" + blank * 2000 + "Tim Cook")]
    with caplog.at_level(logging.INFO, "spacy_hgn"):
        alone, around = vectors(hero, docs)
    assert not caplog.messages
    assert len(alone) == len(docs[0])
    assert all(around[token.i].any() for token in docs[1] if not token.is_space)
    assert max(lengths) <= MAX_PIECES


def test_many_blank_tokens_end(short_hero, english):
    """RoBERTa's pieces of blanks are no token's, and say nothing of where to cut."""
    hero = short_hero("roberta")
    doc = Doc(english.vocab, words=["Apple", *["     "] * 100, "Cook"], spaces=[False] * 102)
    [found] = vectors(hero, [doc])
    assert found[[0, -1]].any(axis=1).all()
