"""Whole pipelines on the GPU: what they have learnt, whatever they are put through."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, cycle

import numpy
import pytest
import spacy
from component.helpers import (
    DATA,
    MIXED,
    TEXTS,
    assert_finds,
    assert_same,
    make_examples,
    make_nlp,
    probabilities,
)
from tagger.oracle import FUSIONS, RECURRENCES
from thinc.api import use_ops
from thinc.util import is_cupy_array

from spacy_hgn.backend.torch_shim import predicting_in
from spacy_hgn.entities.scored_docs import calibrate, score_docs

from .helpers import DEVICE, devices, entities, needs_cuda, teach, with_vectors

BFLOAT16 = 0.05
"""How far tag probabilities in bfloat16 may be from float32's: logits of some 10 are 1 % off."""

TEMPERATURE = 1e-2
"""How far a temperature may be from the one that the CPU finds, as a share: the loss is flat
where it is lowest."""

CONTRADICTED = (DATA + [("Tim Cook runs Apple.", [])] * 4) * 8
"""As many entities as calibrating takes, and errors enough for another temperature than 1."""

MODELS = [
    *({"recurrence": r, "fusion": f} for r, f in zip(RECURRENCES, cycle(FUSIONS))),
    {"windows": []},
    {"precision": "bfloat16"},
]


@pytest.fixture(params=["cnn", "tiny", "minilm"])
def folder(request, without_gpu):
    """The folder of each trained pipeline. Another process begins meanwhile with its part."""
    return request.getfixturevalue(f"{request.param}_folder")


def test_loaded_pipelines_find_what_they_learnt(folder):
    nlp = spacy.load(folder)
    assert devices(nlp) == {DEVICE.type}
    assert_finds(nlp)
    copied = spacy.blank("en").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert devices(copied) == {DEVICE.type}
    assert_same(probabilities(copied), probabilities(nlp))


def test_a_pickled_pipeline(folder):
    nlp = spacy.load(folder)
    copied = pickle.loads(pickle.dumps(nlp))
    assert devices(copied) == {DEVICE.type}
    assert_same(probabilities(copied), probabilities(nlp))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: " ".join(map(str, model.values())))
def test_overfits_and_round_trips(model, tmp_path):
    nlp = make_nlp(model)
    losses = teach(nlp, 30)
    assert losses[-1] < losses[0] / 10
    assert_finds(nlp)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert devices(nlp) == devices(loaded) == {DEVICE.type}
    assert_same(probabilities(loaded), probabilities(nlp))


def test_bfloat16_beside_float32(folder):
    nlp = spacy.load(folder)
    exact = probabilities(nlp, MIXED)
    with predicting_in("bfloat16", [pipe.model for _, pipe in nlp.pipeline]):
        for found, expected in zip(probabilities(nlp, MIXED), exact, strict=True):
            numpy.testing.assert_allclose(found, expected, atol=BFLOAT16, rtol=0)
        assert_finds(nlp)


@needs_cuda
def test_what_the_hero_leaves_on_docs_stays_on_the_gpu(tiny_nlp):
    for doc in tiny_nlp.pipe(TEXTS):
        assert is_cupy_array(doc._.trf_data.model_output["last_hidden_state"])


@pytest.mark.parametrize("batch_size", [1, 3, 1000])
def test_empty_and_over_long_texts_among_others(folder, batch_size):
    nlp = spacy.load(folder)
    texts = ["", *MIXED, " ".join(TEXTS * 40), "", *TEXTS]
    alone = list(chain.from_iterable(entities(nlp, [text]) for text in texts))
    assert entities(nlp, texts, batch_size=batch_size) == alone
    assert alone[1 : 1 + len(DATA)] == [ents for _, ents in DATA]
    assert any(alone[len(MIXED) + 1])


@pytest.mark.parametrize("fixture", ["cnn_nlp", "tiny_nlp"])
def test_a_text_of_more_tokens_than_a_block(fixture, request, monkeypatch):
    nlp = request.getfixturevalue(fixture)
    docs = with_vectors(nlp, [" ".join(TEXTS * 850)])
    assert len(docs[0]) > 16_384 * 1.2
    ner = nlp.get_pipe("hgn_ner")
    (found,) = ner.predict(docs)
    monkeypatch.setattr("spacy_hgn.tagger.flat.block_size", lambda device: 10**6)
    assert_same([found], ner.predict(docs))
    ner.set_annotations(docs, [found])
    assert docs[0].ents[-1].end > 16_384


def test_two_pipelines_on_one_gpu(cnn_folder, tiny_folder):
    nlps = [spacy.load(cnn_folder), spacy.load(tiny_folder)]
    expected = [probabilities(nlp, MIXED) for nlp in nlps]
    streams = [nlp.pipe(MIXED, batch_size=2) for nlp in nlps]
    for found in zip(*streams):
        assert [doc.text for doc in found] == [found[0].text] * 2
    for nlp, before in zip(nlps, expected):
        assert_same(probabilities(nlp, MIXED), before)


@pytest.mark.parametrize("fixture", ["cnn_folder", "tiny_folder"])
def test_threads_find_what_one_finds(fixture, request):
    """Two threads share a pipeline, a third has its own; none of them was told of the GPU."""
    shared, own = (spacy.load(request.getfixturevalue(fixture)) for _ in range(2))
    expected = entities(shared, MIXED)
    assert expected[0] == DATA[0][1]
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(lambda nlp: entities(nlp, MIXED * 5), [shared, shared, own]):
            assert found == expected * 5


@pytest.mark.parametrize("fixture", ["tiny_folder", "minilm_folder"])
def test_replaced_listeners(fixture, request, tmp_path):
    nlp = spacy.load(request.getfixturevalue(fixture))
    expected = probabilities(nlp)
    nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    assert_same(probabilities(nlp), expected)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert devices(loaded) == {DEVICE.type}
    assert_same(probabilities(loaded), expected)


@pytest.mark.parametrize("fixture", ["cnn_folder", "tiny_folder"])
def test_calibration_as_on_the_cpu(fixture, request):
    folder = request.getfixturevalue(fixture)
    with use_ops("numpy"):
        expected = calibrated(folder)
    assert expected != 1
    assert calibrated(folder) == pytest.approx(expected, rel=TEMPERATURE)


def calibrated(folder) -> float:
    """The temperature for texts that contradict some of what was learnt."""
    nlp = spacy.load(folder)
    ner = nlp.get_pipe("hgn_ner")
    calibrate(ner, score_docs(nlp, "hgn_ner", lambda nlp: make_examples(nlp, CONTRADICTED)))
    return ner.temperature
