"""A Doc's data know the batch that they are of, and are the Doc's alone when they leave it."""

import copy
import gc
import pickle
from itertools import pairwise

import numpy
import pytest
import srsly
import torch
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import TransformerData, WordpieceBatch
from spacy_transformers.span_getters import get_strided_spans
from thinc.api import torch2xp

from spacy_hgn.hero.token_rows import HeroData

from .helpers import ARCHITECTURES, TEXTS, assert_same, make_pipeline, token_vectors


@pytest.fixture
def docs(english):
    return [english(text) for text in ["", *TEXTS, "", "Apple \u200b hired Tim"]]


def get_spans(docs):
    return get_strided_spans(docs, window=7, stride=4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_whole_has_the_vectors_of_each_doc(name, short_hero, docs):
    datas = short_hero(name, get_spans=get_spans).predict(docs).doc_data
    source = datas[1].source
    firsts = source.hidden.flatten(0, 1)[source.places[source.piece_ends[:-1]]].numpy()
    by_doc = numpy.split(firsts, source.token_ends[1:-1])
    assert_same(by_doc, token_vectors(datas))
    for number, (doc, data) in enumerate(zip(docs, datas, strict=True)):
        assert isinstance(data, HeroData) == bool(len(doc))
        if len(doc):
            assert (data.source, data.number) == (source, number)
            rows = slice(*source.row_ends[number : number + 2])
            assert (data.model_output.last_hidden_state == source.hidden[rows].numpy()).all()
            assert len(data.wordpieces.strings) == rows.stop - rows.start
    assert (numpy.diff(source.piece_ends) > 0).all()


def test_vectors_have_no_graph_in_training(make_hero, docs):
    batch, _ = make_hero("bert").begin_update(docs)
    assert batch.model_output.last_hidden_state.requires_grad
    assert not batch.doc_data[1].source.hidden.requires_grad


@pytest.mark.parametrize(
    "store",
    [
        copy.copy,
        copy.deepcopy,
        lambda data: pickle.loads(pickle.dumps(data)),
        lambda data: TransformerData.empty().from_bytes(data.to_bytes()),
        lambda data: srsly.msgpack_loads(srsly.msgpack_dumps(data)),
    ],
)
def test_a_stored_doc_keeps_its_share_alone(store, make_hero, docs):
    data = make_hero("bert", get_spans=get_spans).predict(docs).doc_data[3]
    stored = store(data)
    assert type(stored) is TransformerData
    assert not hasattr(stored, "source")
    assert_same(token_vectors([stored]), token_vectors([data]))
    assert stored.wordpieces.strings == data.wordpieces.strings
    assert (stored.wordpieces.input_ids == data.wordpieces.input_ids).all()


def test_docs_are_copied_and_stored_without_the_batch(hero_folders):
    nlp = make_pipeline(hero_folders["bert"])
    doc, *_ = nlp.pipe(TEXTS)
    for stored in (copy.deepcopy(doc), Doc(nlp.vocab).from_bytes(doc.to_bytes()), doc.copy()):
        assert_same(token_vectors([stored._.trf_data]), token_vectors([doc._.trf_data]))
    loaded = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert type(loaded._.trf_data) is TransformerData
    assert len(pickle.dumps(doc._.trf_data)) < doc._.trf_data.source.hidden.nbytes


def test_data_hold_no_doc(make_hero, docs):
    """A Doc would hold itself, and all Docs of its batch, until the garbage is collected."""
    seen, ahead = set(), [make_hero("bert").predict(docs).doc_data[1]]
    while ahead:
        held = ahead.pop()
        if id(held) not in seen and not isinstance(held, type):
            assert not isinstance(held, Doc | Span)
            seen.add(id(held))
            ahead += gc.get_referents(held)
    assert len(seen) > 20


def test_gradients_of_docs_are_joined(make_hero, docs):
    batch, _ = make_hero("bert", get_spans=get_spans).begin_update(docs)
    ends = batch.source.row_ends.tolist()
    whole = torch2xp(torch.rand(batch.source.hidden.shape))
    views = [[whole[start:end]] for start, end in pairwise(ends) if start < end]
    copies = [[array.copy()] for [array] in views]
    for parts, is_copy in [(views, False), (copies, True), ([[], *views], False)]:
        [joined] = batch.unsplit_by_doc(parts).model_output.values()
        assert (joined.numpy() == whole).all()
        assert (joined.data_ptr() != whole.ctypes.data) == is_copy
    [swapped] = batch.unsplit_by_doc(views[::-1]).model_output.values()
    assert (swapped.numpy() == numpy.concatenate([array for [array] in views[::-1]])).all()


def test_several_outputs_are_joined(make_hero, docs):
    batch, _ = make_hero("bert").begin_update(docs[1:3])
    arrays = [numpy.full((1, 2, 3), i, dtype="f") for i in range(4)]
    joined = batch.unsplit_by_doc([arrays[:2], arrays[2:]]).model_output
    assert list(joined) == ["output_0", "output_1"]
    assert joined["output_1"][:, 0, 0].tolist() == [1, 3]


def test_a_batch_of_pieces_is_plain(make_hero, docs):
    pieces = make_hero("bert").predict(docs).wordpieces
    assert type(pieces) is WordpieceBatch
    assert all(type(row) is list for row in pieces.strings)
    assert {len(row) for row in pieces.strings} == {pieces.input_ids.shape[1]}
    assert pieces.attention_mask.dtype == "float32"
    assert pieces.attention_mask.sum(axis=1).tolist() == pieces.lengths
