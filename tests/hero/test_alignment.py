"""A token is given its own pieces and never a neighbour's."""

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy_transformers.align import get_alignment_via_offset_mapping
from transformers import AutoTokenizer

from spacy_hgn.hero.alignment import align_by_offsets
from spacy_hgn.hero.word_pieces import encode_spans

from .helpers import ARCHITECTURES, TEXTS, aligned_pieces

# RoBERTa's blanks can be left in the offsets, as GPT-2's and ModernBERT's are.
TOKENIZERS = [*ARCHITECTURES, "bert-cased", "roberta-untrimmed"]


@pytest.fixture(scope="module")
def tokenizers(hero_folders):
    """Each checkpoint's tokenizer."""
    folders = [(name, hero_folders[name.removesuffix("-untrimmed")]) for name in TOKENIZERS]
    return {
        name: AutoTokenizer.from_pretrained(folder, trim_offsets=not name.endswith("-untrimmed"))
        for name, folder in folders
    }


def check_alignment(tokenizer, doc):
    """Compare with a plain oracle: pieces and tokens as sets of characters.

    They belong together where they share one that isn't blank, or where the piece has
    none but blanks.
    """
    text = doc[:].text  # what is cut: without the blank that trails the last token
    offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    ranges = [set(range(start, end)) for start, end in offsets]
    blanks = {place for place, letter in enumerate(text) if letter.isspace()}
    [[whole]] = encode_spans(tokenizer, [doc[:]], limit=100_000)
    for token, found in zip(doc, whole.token_pieces, strict=True):
        letters = set(range(token.idx, token.idx + len(token)))
        if token.is_space:
            assert all(letters & ranges[piece] for piece in found)
        else:
            expected = [
                i
                for i, piece in enumerate(ranges)
                if letters & (piece if piece <= blanks else piece - blanks)
            ]
            assert found == expected, (token.text, doc.text)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_belong_to_the_tokens_they_share_letters_with(name, text, tokenizers, english):
    check_alignment(tokenizers[name], english(text))


UNICODE = st.characters(exclude_categories=["Cs"])
TYPICAL = st.sampled_from("aZé7 \n\t'\"-.,#@/\u00a0\u200b\u0301ﬁ½漢🎉\x07")


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=st.text(st.one_of(TYPICAL, UNICODE), max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_unicode_text(name, text, tokenizers, english):
    check_alignment(tokenizers[name], english(text))


@pytest.mark.parametrize("name", TOKENIZERS)
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_any_tokenization(name, data, tokenizers, english):
    words = data.draw(st.lists(st.text(st.one_of(TYPICAL, UNICODE), min_size=1, max_size=8)))
    spaces = [data.draw(st.booleans()) for _ in words]
    check_alignment(tokenizers[name], Doc(english.vocab, words=words, spaces=spaces))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_hero_hands_this_alignment_on(name, make_hero, english):
    hero = make_hero(name)
    doc = english('I don\'t like  "New York", é')
    [[whole]] = encode_spans(hero.tokenizer, [doc[:]], limit=64)
    assert aligned_pieces(hero.predict([doc]).doc_data[0]) == whole.token_pieces


def test_a_slow_tokenizer_is_aligned_by_letters(make_hero, english):
    doc = english("Apple doesn't hire São Paulo's start-ups.")
    fast = make_hero("bert").predict([doc]).doc_data[0]
    slow_hero = make_hero("bert", tokenizer_config={"use_fast": False})
    slow = slow_hero.predict([doc]).doc_data[0]
    assert not slow_hero.tokenizer.is_fast
    assert aligned_pieces(slow) == aligned_pieces(fast)


@pytest.mark.parametrize(
    ("name", "differs"), [("bert", 0), ("roberta", 0), ("xlnet", 1), ("deberta", 1)]
)
def test_spacy_transformers_gives_tokens_the_next_ones_first_piece(
    name, differs, tokenizers, english
):
    doc = english("Apple hired Tim Cook")
    encoded = tokenizers[name](doc.text, return_offsets_mapping=True)
    offsets = encoded["offset_mapping"]
    ours = pieces_of_tokens(doc, offsets)
    stock = get_alignment_via_offset_mapping([doc[:]], numpy.array([offsets]))
    stock_pieces = [stock[i].dataXd.ravel().tolist() for i in range(len(doc))]
    for i in range(len(doc) - 1):
        assert stock_pieces[i] == ours[i] + ours[i + 1][:differs]


def test_blanks_before_a_blank_token_are_its_own(english):
    doc = english("a    b")  # tokens: a, three blanks, b; the fourth blank trails the a
    assert [token.text for token in doc] == ["a", "   ", "b"]
    assert pieces_of_tokens(doc, [(0, 1), (1, 5), (5, 6)]) == [[0], [1], [2]]


def pieces_of_tokens(doc, offsets):
    [of_tokens] = align_by_offsets([doc[:]], [doc.text], [offsets])
    return of_tokens.tolist()
