"""The alignment by arrays is the one by loops, for any batch."""

from itertools import pairwise

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy_transformers.span_getters import get_strided_spans
from transformers import AutoTokenizer

from spacy_hgn.hero import alignment
from spacy_hgn.hero import word_pieces as pieces
from spacy_hgn.util import lists

from . import plain_alignment
from .helpers import ARCHITECTURES
from .test_alignment import TYPICAL, UNICODE

WORDS = st.lists(
    st.tuples(st.text(st.one_of(TYPICAL, UNICODE), min_size=1, max_size=6), st.booleans()),
    max_size=12,
)


@st.composite
def batches(draw, vocab):
    """Docs, and of each some spans that may overlap and leave tokens out."""
    docs, spans = [], []
    for words in draw(st.lists(WORDS, min_size=1, max_size=4)):
        doc = Doc(vocab, [word for word, _ in words], [space for _, space in words])
        starts = st.integers(0, max(len(doc) - 1, 0))
        bounds = draw(st.lists(st.tuples(starts, st.integers(1, 12)), min_size=1, max_size=4))
        docs.append(doc)
        spans.append([doc[start : start + length] for start, length in bounds if len(doc)])
    return docs, spans


@st.composite
def any_offsets(draw, text):
    """Pieces that lie anywhere: in any order, over each other, over blanks, over nothing."""
    places = st.integers(0, len(text))
    return [tuple(sorted(draw(st.tuples(places, places)))) for _ in range(draw(st.integers(0, 12)))]


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_any_pieces_of_any_spans(data, english):
    docs, spans = data.draw(batches(english.vocab))
    flat = [span for of_doc in spans for span in of_doc]
    if flat:
        texts = [span.text for span in flat]
        offsets = [data.draw(any_offsets(text)) for text in texts]
        check(docs, spans, offsets, alignment.align_by_offsets(flat, texts, offsets))


@pytest.mark.parametrize("name", ARCHITECTURES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_tokenizers(name, data, english, hero_folders):
    tokenizer = AutoTokenizer.from_pretrained(hero_folders[name])
    docs, spans = data.draw(batches(english.vocab))
    flat = [span for of_doc in spans for span in of_doc]
    if flat:
        encoded = tokenizer([span.text for span in flat], return_offsets_mapping=True)
        parts = [whole for [whole] in pieces.encode_spans(tokenizer, flat, limit=10_000)]
        assert [part.ids.tolist() for part in parts] == encoded["input_ids"]
        assert [part.strings for part in parts] == [
            tokenizer.convert_ids_to_tokens(ids) for ids in encoded["input_ids"]
        ]
        check(docs, spans, encoded["offset_mapping"], [part.of_tokens for part in parts])


def test_each_doc_is_one_span(english):
    docs = [english("Apple hired  Tim Cook"), english(""), english("London")]
    found = alignment.align_docs(
        [len(doc) for doc in docs],
        [1, 0, 1],
        [docs[0][:], docs[2][:]],
        [of_tokens([1], [2], [], [3], [4, 5]), of_tokens([1])],
        [7, 3],
    )
    assert (found.row_width, found.without_pieces.tolist()) == (8, [2])
    assert found.places.tolist() == [1, 2, 7, 3, 4, 5, 9]
    assert found.piece_ends.tolist() == [0, 1, 2, 3, 4, 6, 7]
    assert found.token_ends.tolist() == [0, 5, 5, 6]
    assert found.row_ends.tolist() == [0, 1, 1, 2]


def test_ranges():
    starts, lengths = numpy.array([5, 0, 7]), numpy.array([2, 0, 3])
    assert lists.ranges(starts, lengths).tolist() == [5, 6, 7, 8, 9]
    assert not lists.ranges(starts[:0], lengths[:0]).size


def test_a_long_doc_is_cut_as_by_loops(english, short_hero):
    tokenizer = short_hero("xlnet").tokenizer
    doc = Doc(english.vocab, words=["São", "Paulo", "\u200b", "'s", "start-up"] * 60)
    [spans] = get_strided_spans([doc], window=40, stride=25)
    parts = [part for of_span in pieces.encode_spans(tokenizer, spans, 64) for part in of_span]
    cut = [part.span for part in parts]
    encoded = tokenizer([span.text for span in cut], return_offsets_mapping=True)
    assert len(cut) > len(spans)
    check([doc], [cut], encoded["offset_mapping"], [part.of_tokens for part in parts])


def check(docs, spans, offsets, found):
    """Compare the pieces of the spans' tokens, and those of the Docs' tokens."""
    flat = [span for of_doc in spans for span in of_doc]
    expected = [
        plain_alignment.align_by_offsets(span, span.text, of_span)
        for span, of_span in zip(flat, offsets, strict=True)
    ]
    assert [of_span.tolist() for of_span in found] == expected

    row_lengths = [len(of_span) for of_span in offsets]
    batch = alignment.align_docs(
        [len(doc) for doc in docs], [len(rows) for rows in spans], flat, found, row_lengths
    )
    rows = [slice(*ends) for ends in pairwise(batch.row_ends.tolist())]
    aligned = [
        plain_alignment.align_doc(doc, flat[of_doc], expected[of_doc])
        for doc, of_doc in zip(docs, rows, strict=True)
    ]
    has_pieces = [bool(own) for of_doc in aligned for _, own in of_doc]
    assert batch.without_pieces.tolist() == numpy.flatnonzero(~numpy.array(has_pieces)).tolist()
    assert batch.row_width == max(row_lengths) + (not all(has_pieces))

    per_token = lists.split(batch.places, batch.piece_ends)
    for k, (of_doc, own) in enumerate(zip(rows, aligned, strict=True)):
        low, high = batch.token_ends[k : k + 2]
        start = of_doc.start * batch.row_width
        in_doc = [(places - start).tolist() for places in per_token[low:high]]
        blank = row_lengths[of_doc][0] if own else 0
        assert in_doc == plain_alignment.places_in_rows(own, batch.row_width, blank)


def of_tokens(*per_token):
    places, ends = lists.join_lists(per_token)
    return alignment.TokenPieces(places, numpy.diff(ends))
