"""The special pieces around a text: where they are, for every Hero and however it is cut."""

from functools import partial

import pytest
from spacy.tokens import Doc
from spacy_transformers.span_getters import get_doc_spans, get_strided_spans
from transformers import AutoTokenizer, BertTokenizer

from spacy_hgn.hero.special_pieces import NO_PIECE
from spacy_hgn.hero.word_pieces import count_special

from .helpers import TEXTS

WORDS = ["Apple", "hired", "Tim", "Cook", "from", "Compaq", "in", "1998"]
AROUND = {
    "bert": ("[CLS]", "[SEP]"),
    "roberta": ("<s>", "</s>"),
    "xlnet": (None, "<sep>"),
    "deberta": ("[CLS]", "[SEP]"),
}
"""What each Hero has directly before and behind a text."""

HARD = [
    "",
    "\u200b Apple",
    "Apple \u200b",
    "\u200b",
    " ",
    "[SEP] Apple [SEP]",
    "<sep> Apple <sep>",
    "pneumono" * 40,
    "hired pneumono " * 40,
]
"""Empty; first, last and only tokens without pieces; special pieces in the text; a token, and
a text, with more pieces than there is room for."""


def edges_of(hero, docs):
    """Of each Doc the rows and places of its edges, and the pieces that are there."""
    batch = hero.predict(docs)
    source, pieces = batch.source, batch.wordpieces
    width = source.hidden.shape[1]
    assert source.edges.shape == (len(docs), 2)
    found = []
    for both, low in zip(source.edges.tolist(), source.row_ends.tolist()):
        places = [None if at == NO_PIECE else (at // width - low, at % width) for at in both]
        names = [at and pieces.strings[low + at[0]][at[1]] for at in places]
        found.append((places, names))
    return found


@pytest.mark.parametrize("name", AROUND)
def test_they_are_directly_before_and_behind_a_text(name, short_hero, english):
    hero = short_hero(name)
    docs = [english(text) for text in [*TEXTS, *HARD]]
    for doc, (places, names) in zip(docs, edges_of(hero, docs), strict=True):
        if not len(doc):
            assert places == [None, None]
            continue
        assert tuple(names) == AROUND[name]
        assert places[0] == (None if name == "xlnet" else (0, 0))
        lengths = hero.predict([doc]).doc_data[0].wordpieces.lengths
        behind = 2 if name == "xlnet" else 1
        assert places[1] == (len(lengths) - 1, lengths[-1] - behind)


@pytest.mark.parametrize("name", AROUND)
def test_a_text_has_the_same_alone(name, short_hero, english):
    hero = short_hero(name, get_spans=partial(get_strided_spans, window=7, stride=4))
    docs = [english(text) for text in [*HARD, *TEXTS, *TEXTS[::-1]]]
    together = edges_of(hero, docs)
    assert together == [edges_of(hero, [doc])[0] if len(doc) else together[0] for doc in docs]


@pytest.mark.parametrize("get_spans", [partial(get_strided_spans, window=12, stride=12), None])
def test_a_text_of_several_rows_has_two(get_spans, make_hero, english):
    hero = make_hero("bert", get_spans=get_spans or get_doc_spans)
    doc = Doc(english.vocab, words=WORDS * 30)
    [(places, names)] = edges_of(hero, [doc])
    pieces = hero.predict([doc]).doc_data[0].wordpieces
    assert len(pieces.lengths) > 3
    assert names == ["[CLS]", "[SEP]"]
    assert places == [(0, 0), (len(pieces.lengths) - 1, pieces.lengths[-1] - 1)]


def test_they_are_in_the_rows_that_represent_the_tokens_beside_them(make_hero, english):
    """The last span holds nothing that the one before it doesn't hold better, and the first
    nothing that the second doesn't."""
    doc = Doc(english.vocab, words=WORDS)
    spans = [doc[:2], doc[:6], doc[2:], doc[6:]]
    hero = make_hero("bert", get_spans=lambda docs: [spans])
    [(places, names)] = edges_of(hero, [doc])
    assert names == ["[CLS]", "[SEP]"]
    assert [row for row, _ in places] == [1, 2]


def test_silent_tokens_stand_in_the_first_row_and_in_the_last(make_hero, english):
    doc = Doc(english.vocab, words=["\u200b", "Apple", "hired", "\u200b"])
    hero = make_hero("bert", get_spans=lambda docs: [[doc[:1], doc[1:2], doc[2:]]])
    [(places, names)] = edges_of(hero, [doc])
    assert names == ["[CLS]", "[SEP]"]
    assert [row for row, _ in places] == [0, 2]


@pytest.mark.parametrize(
    ("name", "expected"), {"bert": (1, 1), "roberta-json": (1, 1), "xlnet": (0, 2)}.items()
)
def test_special_pieces_are_counted(name, expected, hero_folders):
    tokenizer = AutoTokenizer.from_pretrained(hero_folders[name])
    assert count_special(tokenizer) == expected


def test_special_pieces_of_a_tokenizer_without_offsets_are_counted(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]))
    assert count_special(BertTokenizer(str(path))) == (1, 1)


def test_a_tokenizer_that_adds_none_has_none(hero_folders):
    assert count_special(AutoTokenizer.from_pretrained(hero_folders["t5"])) == (0, 0)
