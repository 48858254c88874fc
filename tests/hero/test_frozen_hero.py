"""A Hero that stays as it is: its layers, and how it reads each text once."""

import copy
import pickle

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc, DocBin
from spacy_transformers.span_getters import get_doc_spans, get_strided_spans
from tiny_heroes import WIDTH
from transformers import AutoModel, AutoTokenizer

from spacy_hgn.architectures import build_frozen_transformer
from spacy_hgn.hero.frozen import frozen_hero
from spacy_hgn.hero.frozen.frozen_hero import FrozenHero, LayerData, keeping_vectors

from .helpers import ARCHITECTURES, TEXTS, assert_same, token_vectors

LAYERS = 2
"""Those of the tiny Heroes, besides the embeddings."""

NEARLY = {"rtol": 2**-8, "atol": 1e-5}
"""As bfloat16 rounds; a row next to others may be rounded the other way."""

LONG = "Nobody knows why the start-up was sold. " * 8


@pytest.fixture
def make_frozen(hero_folders):
    """A frozen Hero of one of the checkpoints, in float32; in a training unless told otherwise."""

    def make(name="bert", learns=True, **settings):
        settings = {"get_spans": get_doc_spans, "precision": "float32", **settings}
        hero = build_frozen_transformer(hero_folders[name], **settings)
        hero.initialize()
        hero.is_learning = learns
        return hero

    return make


@pytest.fixture
def counted(monkeypatch):
    """How many rows the Hero has read, call by call."""
    rows = []
    read_layers = frozen_hero.read_layers

    def counting(shim, numbers, pooling, pieces, alignment):
        rows.append(len(pieces.lengths))
        return read_layers(shim, numbers, pooling, pieces, alignment)

    monkeypatch.setattr(frozen_hero, "read_layers", counting)
    return rows


def layers_of(hero, docs):
    """All layers of the Docs' tokens, an array a Doc; None for one without tokens."""
    datas = hero.predict(list(docs)).doc_data
    return [data.layers.float().numpy() if data.model_output else None for data in datas]


def plain_layers(folder, doc, pooling):
    """What transformers' model says of the text, layer by layer, and in float32."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    inputs = tokenizer(doc.text, return_offsets_mapping=True, return_tensors="pt")
    offsets = inputs.pop("offset_mapping")[0].tolist()
    with torch.no_grad():
        output = model.eval()(**inputs, output_hidden_states=True)
    layers = [*output.hidden_states[:-1], output.last_hidden_state]
    found = numpy.zeros((len(doc), len(layers), WIDTH), dtype="f")
    for token in doc:
        pieces = [
            place
            for place, (start, end) in enumerate(offsets)
            if doc.text[start:end].strip() and start < token.idx + len(token)
            if end > token.idx and not doc.text[max(start, token.idx) : end].isspace()
        ]
        vectors = torch.stack([layer[0, pieces] for layer in layers], dim=1)
        found[token.i] = vectors[0] if pooling == "first" else vectors.mean(dim=0)
    return found


# Vectors


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vectors_are_those_of_the_model_called_directly(
    name, pooling, make_frozen, hero_folders, english
):
    hero = make_frozen(name, pooling=pooling)
    for text in ("Apple hired Tim Cook in 1998", "Deliveroo was sold", "London"):
        doc = english(text)
        [found] = layers_of(hero, [doc])
        assert found.shape == (len(doc), LAYERS + 1, WIDTH)
        expected = plain_layers(hero_folders[name], doc, pooling)
        numpy.testing.assert_allclose(found, expected, **NEARLY)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ("all", [0, 1, 2]),
        ("last", [2]),
        ([0, 2], [0, 2]),
        ([-1, 0], [0, 2]),
        ([1], [1]),
        ([-2], [1]),
        ([-3, 1], [0, 1]),
    ],
    ids=str,
)
def test_layers_by_number(layers, expected, make_frozen, english):
    doc = english(TEXTS[0])
    [whole] = layers_of(make_frozen(layers="all"), [doc])
    hero = make_frozen(layers=layers)
    [found] = layers_of(hero, [doc])
    assert hero.layer_numbers() == expected
    numpy.testing.assert_array_equal(found, whole[:, expected])
    # Others, who know nothing of layers, read the highest.
    [last] = token_vectors(hero.predict([doc]).doc_data)
    numpy.testing.assert_array_equal(last, whole[:, expected[-1]])


@pytest.mark.parametrize("pooling", ["first", "mean"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_batch_of_one_equals_any_batch(name, pooling, make_frozen, english):
    hero = make_frozen(
        name, learns=False, pooling=pooling, tokenizer_config={"model_max_length": 64}
    )
    docs = [english(text) for text in (*TEXTS, LONG)]
    alone = [layers_of(hero, [doc])[0] for doc in docs]
    empty = english("")
    for batch, expected in (
        (docs, alone),
        (docs[::-1], alone[::-1]),
        ([docs[-1], docs[0], docs[-1]], [alone[-1], alone[0], alone[-1]]),
        ([empty, docs[0], empty, docs[1]], [None, alone[0], None, alone[1]]),
    ):
        for found, array in zip(layers_of(hero, batch), expected, strict=True):
            if array is None:
                assert found is None
            else:
                numpy.testing.assert_allclose(found, array, rtol=2**-7, atol=1e-4)


def test_overlapping_spans_of_a_long_text(make_frozen, make_hero, english):
    def get_spans(docs):
        return get_strided_spans(docs, window=12, stride=8)

    docs = [english(LONG), english(TEXTS[0])]
    plain = make_hero("bert", get_spans=get_spans)
    expected = token_vectors(plain.predict(docs).doc_data)
    found = layers_of(make_frozen(get_spans=get_spans), docs)
    for array, last in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(array[:, -1], last, **NEARLY)


def test_a_text_longer_than_the_hero(make_frozen, make_hero, english):
    doc = english(LONG * 3)
    expected = token_vectors(make_hero("bert").predict([doc]).doc_data)
    [found] = layers_of(make_frozen(), [doc])
    assert len(found) == len(doc) > 64
    numpy.testing.assert_allclose(found[:, -1], expected[0], **NEARLY)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_tokens_without_pieces_are_zero(pooling, make_frozen, english):
    words = ["Apple", "\u200b", "hired", "\x07", "Tim", "\u200d"]
    hero = make_frozen(pooling=pooling)
    [found] = layers_of(hero, [Doc(english.vocab, words=words)])
    is_blank = numpy.array([not word.isalpha() for word in words])
    assert not found[is_blank].any()
    [others] = layers_of(hero, [Doc(english.vocab, words=["Apple", "hired", "Tim"])])
    numpy.testing.assert_allclose(found[~is_blank], others, **NEARLY)
    [blank] = layers_of(hero, [Doc(english.vocab, words=["\u200b", "\x07"])])
    assert blank.shape == (2, LAYERS + 1, WIDTH)
    assert not blank.any()


@pytest.mark.parametrize("learns", [True, False])
def test_empty_docs(learns, make_frozen, english):
    hero = make_frozen(learns=learns)
    assert layers_of(hero, [english(""), english("")]) == [None, None]
    assert hero.predict([]).doc_data == []


def test_bfloat16_precision_comes_near(make_frozen, english):
    docs = [english(text) for text in TEXTS]
    exact = numpy.concatenate(layers_of(make_frozen(), docs))
    rough = numpy.concatenate(layers_of(make_frozen(precision="bfloat16"), docs))
    assert not numpy.array_equal(exact, rough)
    products = (exact * rough).sum(axis=2)
    norms = numpy.linalg.norm(exact, axis=2) * numpy.linalg.norm(rough, axis=2)
    assert (products[norms > 0] / norms[norms > 0]).min() > 0.99


def test_others_see_a_piece_a_token(make_frozen, english):
    doc = english(TEXTS[0])
    [data] = make_frozen().predict([doc]).doc_data
    assert data.wordpieces.strings == [[token.text for token in doc]]
    assert data.align.lengths.tolist() == [1] * len(doc)
    assert data.model_output.last_hidden_state.shape == (1, len(doc), WIDTH)
    assert data.model_output.last_hidden_state.dtype == "float32"


def test_stored_docs_have_the_last_layer_alone(make_frozen, english):
    doc = english(TEXTS[0])
    hero = make_frozen()
    Doc.set_extension("trf_data", default=None, force=True)
    [doc._.trf_data] = hero.predict([doc]).doc_data
    assert doc._.trf_data.hero is hero
    stored = DocBin(store_user_data=True, docs=[doc]).to_bytes()
    [loaded] = DocBin(store_user_data=True).from_bytes(stored).get_docs(english.vocab)
    for data in (loaded._.trf_data, pickle.loads(pickle.dumps(doc._.trf_data))):
        assert not isinstance(data, LayerData)
        assert_same(token_vectors([data]), token_vectors([doc._.trf_data]))


# What is kept


def test_a_text_is_read_once_in_a_training(make_frozen, english, counted):
    hero = make_frozen()
    docs = [english(text) for text in TEXTS]
    first = layers_of(hero, docs)
    assert sum(counted) == len(docs)
    again = layers_of(hero, [english(text) for text in TEXTS][::-1])[::-1]
    batch, _ = hero.begin_update([docs[2], docs[0], docs[2]])
    assert sum(counted) == len(docs)
    for found, expected in zip(again, first, strict=True):
        numpy.testing.assert_array_equal(found, expected)
    for data, expected in zip(batch.doc_data, (first[2], first[0], first[2])):
        numpy.testing.assert_array_equal(data.layers.float().numpy(), expected)


def test_the_same_text_twice_in_a_batch_is_read_once(make_frozen, english, counted):
    hero = make_frozen()
    doc, other = english(TEXTS[0]), english(TEXTS[0])
    first, second, third = layers_of(hero, [doc, doc, other])
    assert counted == [1]
    numpy.testing.assert_array_equal(first, second)
    numpy.testing.assert_array_equal(first, third)


def test_texts_are_told_apart_by_words_blanks_and_cuts(make_frozen, english, counted):
    hero = make_frozen(get_spans=lambda docs: [list(doc.sents) for doc in docs])
    words = ["I", "like", "rain", "."]

    def doc(
        words=words, spaces=(True, True, False, False), sent_starts=(True, False, False, False)
    ):
        return Doc(english.vocab, words=words, spaces=spaces, sent_starts=sent_starts)

    variants = [
        doc(),
        doc(words=["I", "like", "Rain", "."]),
        doc(spaces=(True, True, True, False)),
        doc(sent_starts=(True, False, True, False)),
    ]
    for variant in variants:
        hero.predict([variant])
    assert len(counted) == len(variants)
    for variant in variants:
        hero.predict([variant])
    assert len(counted) == len(variants)


def test_entities_and_tags_make_no_difference(make_frozen, english, counted):
    hero = make_frozen()
    doc, other = english(TEXTS[0]), english(TEXTS[0])
    other.set_ents([other[:1]] if other[0].ent_type else [])
    other[0].tag_ = "X"
    hero.predict([doc])
    hero.predict([other])
    assert counted == [1]


def test_without_room_texts_are_read_each_time(make_frozen, english, counted, caplog):
    hero, free = make_frozen(keep=1e-6), make_frozen()
    docs = [english(text) for text in TEXTS]
    expected = layers_of(free, docs)
    counted.clear()
    for _ in range(2):
        for found, array in zip(layers_of(hero, docs), expected, strict=True):
            numpy.testing.assert_allclose(found, array, rtol=2**-7, atol=1e-4)
    assert len(docs) < sum(counted) <= 2 * len(docs)
    assert sum("No more token vectors are kept" in message for message in caplog.messages) == 1


def test_with_keep_0_nothing_is_kept(make_frozen, english, counted, caplog):
    hero = make_frozen(keep=0)
    hero.predict([english(TEXTS[0])])
    hero.predict([english(TEXTS[0])])
    assert counted == [1, 1]
    assert not caplog.messages


def test_nothing_is_kept_outside_of_a_training(make_frozen, hero_folders, english, counted):
    trained = make_frozen()
    loaded = build_frozen_transformer(hero_folders["bert"], get_doc_spans, precision="float32")
    loaded.from_bytes(trained.to_bytes())
    for _ in range(3):
        loaded.predict([english(text) for text in TEXTS])
    assert counted == [len(TEXTS)] * 3
    assert loaded._kept is None
    loaded.begin_update([english(TEXTS[0])])  # from here on it is one
    loaded.predict([english(TEXTS[0])])
    assert counted[3:] == [1]


def test_keeping_vectors_outside_of_a_training(hero_folders, tmp_path, counted):
    nlp = make_pipeline(hero_folders["bert"], kept_in=str(tmp_path / "kept"))
    loaded = spacy.blank("xx").from_config(nlp.config).from_bytes(nlp.to_bytes())
    with keeping_vectors(loaded):
        loaded(TEXTS[0])
        loaded(TEXTS[0])
    assert counted == [1]
    loaded(TEXTS[0])
    assert counted == [1, 1]
    assert len(list(tmp_path.glob("kept/*/*.safetensors"))) == 1


# A folder


def test_a_folder_serves_the_next_training(make_frozen, english, counted, tmp_path):
    first = make_frozen(kept_in=str(tmp_path))
    docs = [english(text) for text in TEXTS]
    expected = layers_of(first, docs)
    first.to_bytes()
    second = make_frozen(kept_in=str(tmp_path))
    for found, array in zip(layers_of(second, docs[::-1]), expected[::-1], strict=True):
        numpy.testing.assert_array_equal(found, array)
    assert sum(counted) == len(docs)


@pytest.mark.parametrize(
    "other",
    [
        {"name": "bert-cased"},
        {"name": "roberta"},
        {"layers": [0, 2]},
        {"pooling": "mean"},
        {"precision": "bfloat16"},
        {"tokenizer_config": {"model_max_length": 32}},
        {"transformer_config": {"layer_norm_eps": 0.1}},
        {"transformer_config": {"hidden_act": "relu"}},
    ],
    ids=str,
)
def test_another_hero_or_setting_never_gets_these_vectors(
    other, make_frozen, english, counted, tmp_path
):
    first = make_frozen(kept_in=str(tmp_path))
    doc = english(TEXTS[0])
    first.predict([doc])
    first.to_bytes()
    second = make_frozen(**other, kept_in=str(tmp_path))
    [found] = layers_of(second, [doc])
    assert counted == [1, 1]
    second.to_bytes()
    assert len(list(tmp_path.iterdir())) == 2
    [expected] = layers_of(make_frozen(**other), [doc])
    numpy.testing.assert_array_equal(found, expected)


def test_changed_weights_never_get_these_vectors(make_frozen, english, counted, tmp_path):
    first = make_frozen(kept_in=str(tmp_path))
    first.predict([english(TEXTS[0])])
    first.to_bytes()
    second = make_frozen()
    with torch.no_grad():
        second.transformer.encoder.layer[0].output.dense.bias[3] += 0.01
    changed = build_frozen_transformer(
        first.attrs["name"], get_doc_spans, precision="float32", kept_in=str(tmp_path)
    )
    changed.from_bytes(second.to_bytes()).initialize()
    changed.predict([english(TEXTS[0])])
    assert counted == [1, 1]


def test_another_tokenizer_never_gets_these_vectors(make_frozen, tmp_path):
    """The same word pieces, found in another way."""
    first, second = (make_frozen(kept_in=str(tmp_path)) for _ in range(2))
    second.forget()
    second.tokenizer.backend_tokenizer.normalizer = None
    assert first.identify_weights() == second.identify_weights()
    assert first.kept.folder != second.kept.folder


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_hero_is_known_again_when_it_was_stored(name, make_frozen, english, tmp_path):
    first = make_frozen(name, kept_in=str(tmp_path))
    stored = first.to_bytes()
    first.predict([english(text) for text in TEXTS])  # leaves its marks on the tokenizer
    loaded = build_frozen_transformer(
        first.attrs["name"], get_doc_spans, precision="float32", kept_in=str(tmp_path)
    ).from_bytes(stored)
    assert loaded.identify_weights() == first.identify_weights()
    assert loaded.kept.folder == first.kept.folder


def test_a_folder_that_can_not_be_written_is_told_at_once(make_frozen, tmp_path):
    (tmp_path / "kept").write_text("")
    with pytest.raises(ValueError, match=r"Can't keep vectors in .*kept_in = null"):
        make_frozen(kept_in=str(tmp_path / "kept"))


# Copies and files


def make_pipeline(folder, **settings):
    nlp = spacy.blank("xx")
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 32, "stride": 24}
    model = {
        "@architectures": "spacy-hgn.FrozenTransformer.v1",
        "name": folder,
        "precision": "float32",
        "get_spans": spans,
        **settings,
    }
    nlp.add_pipe("transformer", config={"model": model})
    nlp.initialize()
    return nlp


def assert_reads_as(nlp, other):
    for text in (*TEXTS, LONG):
        found, expected = (each(text)._.trf_data.layers for each in (nlp, other))
        numpy.testing.assert_allclose(found.float(), expected.float(), rtol=2**-7, atol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"layers": [0, -1], "pooling": "mean", "keep": 1.5}])
def test_a_pipeline_on_disk(settings, hero_folders, tmp_path):
    nlp = make_pipeline(hero_folders["bert"], **settings)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.config.to_str() == nlp.config.to_str()
    hero = loaded.get_pipe("transformer").model
    assert isinstance(hero, FrozenHero)
    assert hero.own_settings == nlp.get_pipe("transformer").model.own_settings
    assert_reads_as(loaded, nlp)


def test_a_pipeline_in_bytes(hero_folders):
    nlp = make_pipeline(hero_folders["bert"])
    loaded = spacy.blank("xx").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert_reads_as(loaded, nlp)


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(lambda hero: hero.copy(), id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda hero: pickle.loads(pickle.dumps(hero)), id="pickle"),
    ],
)
@pytest.mark.parametrize("is_folder", [True, False])
def test_copies_keep_settings_and_nothing_else(
    duplicate, is_folder, make_frozen, english, tmp_path
):
    kept_in = str(tmp_path) if is_folder else None
    hero = make_frozen(layers=[0, 2], pooling="mean", keep=1.5, kept_in=kept_in)
    docs = [english(text) for text in TEXTS]
    expected = layers_of(hero, docs)
    if is_folder:
        hero.to_bytes()
        hero.predict([english("It rains")])
    copied = duplicate(hero)
    assert type(copied) is FrozenHero
    assert copied.own_settings == hero.own_settings
    assert copied.shim.settings == hero.shim.settings
    assert copied.identify_weights() == hero.identify_weights()
    assert copied.transformer is not hero.transformer
    assert len(copied.kept) == (len(docs) if is_folder else 0)
    for found, array in zip(layers_of(copied, docs), expected, strict=True):
        numpy.testing.assert_allclose(found, array, rtol=2**-7, atol=1e-4)


def test_an_uninitialized_hero_can_be_copied(hero_folders, english):
    bare = build_frozen_transformer(hero_folders["bert"], get_doc_spans, layers="last")
    copied = bare.copy()
    copied.initialize()
    assert layers_of(copied, [english("I like rain")])[0].shape == (3, 1, WIDTH)


def test_damaged_bytes_are_refused(make_frozen):
    data = bytearray(make_frozen().to_bytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="damaged"):
        make_frozen().from_bytes(bytes(data))


def test_two_processes(hero_folders):
    nlp = make_pipeline(hero_folders["bert"])
    texts = [f"{text} {i}" for i in range(4) for text in TEXTS]
    expected = token_vectors([doc._.trf_data for doc in nlp.pipe(texts)])
    docs = nlp.pipe(texts, n_process=2, batch_size=4)
    found = token_vectors([doc._.trf_data for doc in docs])
    for array, other in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(array, other, rtol=2**-7, atol=1e-4)


# Bad settings


@pytest.mark.parametrize("layers", ["first", "", [], [0, 0], [1.5], [True], ["0"], None, 2])
def test_impossible_layers_are_refused(layers):
    with pytest.raises(ValueError, match=r"layers: expected 'last' or 'all', or a list.*got"):
        build_frozen_transformer("any", get_doc_spans, layers=layers)


@pytest.mark.parametrize("layers", [[3], [0, -4], [2, -1], [0, 1, 7]], ids=str)
def test_layers_that_the_hero_has_not_or_twice_are_refused(layers, make_frozen):
    with pytest.raises(ValueError, match=r"has layers 0, the embeddings, to 2.*got \["):
        make_frozen(layers=layers)


@pytest.mark.parametrize("pooling", ["last", "", None, "First"])
def test_an_unknown_pooling_is_refused(pooling):
    with pytest.raises(ValueError, match="Unknown pooling: expected one of first, mean, got"):
        build_frozen_transformer("any", get_doc_spans, pooling=pooling)


@pytest.mark.parametrize("keep", [-1, -0.1, float("inf"), float("nan"), True, "8", None])
def test_an_impossible_keep_is_refused(keep):
    with pytest.raises(ValueError, match="keep: expected gigabytes of 0 or more, got"):
        build_frozen_transformer("any", get_doc_spans, keep=keep)


@pytest.mark.parametrize("folder", ["", " ", 3, True, []])
def test_an_impossible_folder_is_refused(folder):
    with pytest.raises(ValueError, match="kept_in: expected a folder, or null for memory, got"):
        build_frozen_transformer("any", get_doc_spans, kept_in=folder)


def test_the_home_folder(hero_folders, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    hero = build_frozen_transformer(hero_folders["bert"], get_doc_spans, kept_in="~/kept")
    hero.initialize()
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_before_initialize(hero_folders, english):
    hero = build_frozen_transformer(hero_folders["bert"], get_doc_spans)
    with pytest.raises(ValueError, match=r"isn't loaded yet. Call nlp.initialize\(\)"):
        hero.predict([english("London")])


@pytest.mark.parametrize(
    "settings", [{"trained_layers": 2}, {"transformer_config": {"output_attentions": True}}]
)
def test_settings_of_a_hero_that_learns_are_refused(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=name):
        build_frozen_transformer("a-hero", get_doc_spans, **settings)
    build_frozen_transformer("a-hero", get_doc_spans, trained_layers=None)
