"""What ``explain`` tells of a text: weights, tags, moved boundaries, as the prediction has them."""

import json

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from tagger import oracle
from thinc.api import Adam

from spacy_hgn.entities.posteriors import Posteriors, temper
from spacy_hgn.explain.explanation import HERO, Explanation
from spacy_hgn.fusion import FUSIONS
from spacy_hgn.tagger.flat import BLOCK_TOKENS, shim_of
from spacy_hgn.tags.decoding import SpanConstraints

from .helpers import (
    TEXTS,
    make_examples,
    make_hero_nlp,
    make_nlp,
    probabilities,
    train,
    transformer_config,
)

MOVES = {
    "starts_earlier": (-1, 0),
    "starts_later": (1, 0),
    "ends_earlier": (0, -1),
    "ends_later": (0, 1),
}


def explain(nlp: Language, text: str | Doc) -> Explanation:
    return nlp.get_pipe("hgn_ner").explain(nlp(text))


def make_fused_nlp(fusion: str, **model: object) -> Language:
    nlp = make_nlp({"fusion": fusion, "precision": "float32", **model})
    train(nlp, steps=3)
    return nlp


# Tokens and tags


def test_tells_tokens_and_the_tags_probabilities(cnn_nlp):
    doc = cnn_nlp(TEXTS[0])
    found = explain(cnn_nlp, TEXTS[0])
    ner = cnn_nlp.get_pipe("hgn_ner")
    assert found.words == tuple(token.text for token in doc)
    assert "".join(w + " " * s for w, s in zip(found.words, found.spaces)) == TEXTS[0]
    assert found.tags == tuple(ner.tag_set.tags)
    numpy.testing.assert_allclose(
        found.probabilities, probabilities(cnn_nlp, TEXTS[:1])[0], atol=1e-6
    )


def test_probabilities_have_the_temperature_of_the_scores(nlp):
    (plain,) = probabilities(nlp, TEXTS[:1])
    ner = nlp.get_pipe("hgn_ner")
    ner.temperature = 3.0
    doc = nlp(TEXTS[0])
    found = ner.explain(doc)
    numpy.testing.assert_allclose(found.probabilities, temper(plain, 3.0), atol=1e-6)
    scores = [each.score for each in found.entities]
    assert scores == pytest.approx([ent._.score for ent in doc.ents], abs=1e-6)


def test_says_the_same_in_plain_values(cnn_nlp):
    found = explain(cnn_nlp, TEXTS[0])
    plain = json.loads(found.to_json())
    assert plain == found.to_dict()
    assert plain["words"] == list(found.words)
    assert plain["sources"] == ["window 1", "window 3", "hero"]
    assert numpy.allclose(plain["weights"], found.weights)
    assert numpy.allclose(plain["probabilities"], found.probabilities)
    assert plain["entities"][1]["label"] == "ORG"
    assert plain["entities"][1]["starts_later"] is None
    assert plain["note"] == found.note


# Weights


@pytest.mark.parametrize("fusion", FUSIONS)
def test_shares_equal_the_oracle(fusion):
    nlp = make_fused_nlp(fusion)
    doc = nlp(TEXTS[1])
    found = nlp.get_pipe("hgn_ner").explain(doc)
    z, h, parameters = vectors_of(nlp, doc)
    of_windows = oracle.windows_part(z, h, parameters, fusion)
    fused = oracle.fuse(z, h, parameters, fusion)
    expected = numpy.linalg.norm(of_windows, axis=1) / numpy.linalg.norm(fused, axis=1)
    numpy.testing.assert_allclose(found.shares, expected, atol=1e-4)
    assert f"has {found.shares.mean():.1%} of its norm" in found.note


@pytest.mark.parametrize("fusion", ["mlp", "dot"])
def test_weights_equal_the_oracle(fusion):
    nlp = make_fused_nlp(fusion)
    doc = nlp(TEXTS[1])
    found = nlp.get_pipe("hgn_ner").explain(doc)
    expected = oracle.source_weights(*vectors_of(nlp, doc), fusion)
    assert found.fusion == fusion
    assert found.sources == ("window 1", "window 3", HERO)
    assert found.weights.shape == (len(doc), 3)
    numpy.testing.assert_allclose(found.weights, expected, atol=1e-5)
    assert "Hero is added as a whole" in found.note or fusion == "mlp"


def vectors_of(nlp, doc):
    """What the fusion reads, z and h, and its weights, by the oracle."""
    model = nlp.get_pipe("hgn_ner").model
    (z,) = model.get_ref("tok2vec").predict([doc])
    parameters = oracle.parameters_of(shim_of(model.get_ref("flat"))._model)
    z = z.astype("float64")
    h = oracle.gang(z, [len(doc)], oracle.part_of(parameters, "gang"), [1, 3], "lstm")
    return z, h, oracle.part_of(parameters, "fusion")


@pytest.mark.parametrize("fusion", ["concat", "add"])
def test_fusions_without_attention_have_no_weights(fusion):
    found = explain(make_fused_nlp(fusion), TEXTS[0])
    assert found.weights is None
    assert found.to_dict()["weights"] is None
    assert fusion in found.note
    assert "without weights" in found.note


@pytest.mark.parametrize("fusion", [*FUSIONS, None])
def test_an_empty_text_can_be_explained(fusion, tiny_bert):
    model = {"windows": []} if fusion is None else {"fusion": fusion}
    nlp = make_hero_nlp(tiny_bert, **model)
    nlp.initialize(lambda: make_examples(nlp))
    found = nlp.get_pipe("hgn_ner").explain(nlp(""))
    assert found.words == ()
    assert found.shares.shape == (0,)


def test_every_fusion_tells_what_its_weights_are():
    assert all(fusion.note for fusion in FUSIONS.values())


def test_without_windows_the_hero_has_all_the_weight():
    found = explain(make_fused_nlp("mlp", windows=[]), TEXTS[0])
    assert found.sources == (HERO,)
    assert found.weights.tolist() == [[1.0]] * len(found.words)
    assert found.fusion is None
    assert "no windows" in found.note


def test_long_docs_have_the_weights_of_the_whole(tiny_bert, monkeypatch):
    nlp = make_hero_nlp(tiny_bert, windows=[1, 7], precision="float32")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=Adam(0.01))
    doc = nlp(" ".join(TEXTS * 2))
    whole = nlp.get_pipe("hgn_ner").explain(doc)
    monkeypatch.setitem(BLOCK_TOKENS, "cpu", 8)
    parts = nlp.get_pipe("hgn_ner").explain(doc)
    numpy.testing.assert_allclose(parts.weights, whole.weights, atol=1e-5)
    numpy.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-5)


def test_a_hero_inside_of_the_component_can_be_explained(tiny_nlp):
    expected = explain(tiny_nlp, TEXTS[0])
    tiny_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    tiny_nlp.remove_pipe("transformer")
    numpy.testing.assert_allclose(explain(tiny_nlp, TEXTS[0]).weights, expected.weights, atol=1e-5)


# Layers


@pytest.fixture(scope="module")
def frozen_nlp(tiny_bert) -> Language:
    """Three heads over all layers of a frozen Hero, trained."""
    return make_frozen_nlp(tiny_bert, "all", members=3)


def make_frozen_nlp(hero: str, layers: str | list[int], **model: object) -> Language:
    nlp = spacy.blank("xx")
    settings = transformer_config(hero)["model"]
    frozen = {"@architectures": "spacy-hgn.FrozenTransformer.v1", "layers": layers}
    nlp.add_pipe("transformer", config={"model": {**settings, **frozen}})
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [3], **model}})
    train(nlp, steps=2)
    return nlp


def test_tells_the_mean_of_the_heads_mixes_of_layers(frozen_nlp):
    found = explain(frozen_nlp, TEXTS[0])
    heads = shim_of(frozen_nlp.get_pipe("hgn_ner").model.get_ref("flat"))._model.heads
    expected = numpy.mean([head.mix.shares.tolist() for head in heads], axis=0)
    assert [number for number, _ in found.layers] == [0, 1, 2]
    numpy.testing.assert_allclose([share for _, share in found.layers], expected, atol=1e-6)
    assert sum(share for _, share in found.layers) == pytest.approx(1.0)
    assert json.loads(found.to_json())["layers"] == [list(layer) for layer in found.layers]


def test_layers_have_the_numbers_that_they_have_in_the_hero(tiny_bert):
    found = explain(make_frozen_nlp(tiny_bert, [0, -1]), TEXTS[0])
    assert [number for number, _ in found.layers] == [0, 2]


def test_one_layer_is_no_mix(tiny_bert, cnn_nlp):
    assert explain(make_frozen_nlp(tiny_bert, "last"), TEXTS[0]).layers is None
    assert explain(cnn_nlp, TEXTS[0]).to_dict()["layers"] is None


# Boundaries


def test_moved_boundaries_have_their_posterior_probability(cnn_nlp):
    doc = cnn_nlp(TEXTS[1])
    ner = cnn_nlp.get_pipe("hgn_ner")
    constraints = SpanConstraints(*numpy.ones((3, len(doc)), dtype=bool))
    posteriors = Posteriors(probabilities(cnn_nlp, TEXTS[1:2])[0], constraints, ner.tag_set)
    found = ner.explain(doc).entities
    assert [(e.start, e.end, e.label) for e in found] == [(0, 2, "PERSON"), (4, 7, "GPE")]
    for entity in found:
        label = ner.labels.index(entity.label)
        for name, (start, end) in MOVES.items():
            moved = (entity.start + start, entity.end + end, label)
            probability = getattr(entity, name)
            if moved[0] < 0:
                assert probability is None
            else:
                assert probability == pytest.approx(posteriors.of(moved), abs=1e-9)
                assert 0 < probability < entity.score


def test_boundaries_do_not_move_where_no_entity_can_be(nlp):
    doc = nlp.make_doc("Apple  Tim Cook Apple")
    assert [token.text for token in doc] == ["Apple", " ", "Tim", "Cook", "Apple"]
    doc[4].is_sent_start = True
    ner = nlp.get_pipe("hgn_ner")
    by_text = {doc[e.start : e.end].text: e for e in ner.explain(ner(doc)).entities}
    tim, last = by_text["Tim Cook"], by_text["Apple"]
    assert tim.starts_earlier is None  # white space
    assert tim.ends_later is None  # the start of a sentence
    assert tim.starts_later > 0
    assert tim.ends_earlier > 0
    assert last.start == 4
    assert [getattr(last, name) for name in MOVES] == [None] * 4


def test_entities_of_other_components_stay_theirs(nlp):
    nlp.add_pipe("entity_ruler", before="hgn_ner").add_patterns(
        [{"label": "FRUIT", "pattern": "Apple"}]
    )
    doc = nlp("Tim Cook Apple")
    (entity,) = nlp.get_pipe("hgn_ner").explain(doc).entities
    assert (entity.start, entity.end) == (0, 2)
    assert entity.ends_later is None


@pytest.mark.parametrize("decoder", ["viterbi", "argmax"])
@pytest.mark.parametrize("tag_scheme", ["bio", "biluo"])
def test_explains_the_entities_that_are_predicted(tag_scheme, decoder):
    nlp = make_nlp(tag_scheme=tag_scheme, decoder=decoder)
    train(nlp, steps=8)
    ner = nlp.get_pipe("hgn_ner")
    for threshold in (0.0, 0.5):
        ner.threshold = threshold
        docs = list(nlp.pipe(TEXTS))
        assert any(doc.ents for doc in docs)
        for text, doc in zip(TEXTS, docs):
            for again in (doc, nlp.make_doc(text)):  # entities found before, and not
                found = ner.explain(again).entities
                expected = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
                assert [(e.start, e.end, e.label) for e in found] == expected
                assert [e.score for e in found] == pytest.approx(
                    [ent._.score for ent in doc.ents], abs=1e-6
                )


# The Doc


def test_changes_nothing_on_the_doc(cnn_nlp):
    doc = cnn_nlp(TEXTS[0])
    before = doc.to_bytes()
    cnn_nlp.get_pipe("hgn_ner").explain(doc)
    assert doc.to_bytes() == before


def test_a_text_without_tokens_has_an_explanation(cnn_nlp):
    found = explain(cnn_nlp, "")
    assert found.words == found.entities == ()
    assert found.weights.shape == (0, 3)
    assert found.probabilities.shape == (0, len(found.tags))


def test_needs_what_the_model_reads(tiny_nlp):
    tiny_nlp.add_pipe("doc_cleaner", config={"attrs": {"_.trf_data": None}})
    ner = tiny_nlp.get_pipe("hgn_ner")
    doc = tiny_nlp(TEXTS[0])
    with pytest.raises(ValueError, match=r"reads the vectors.*a doc_cleaner took them off"):
        ner.explain(doc)
    kept = ner.explain(tiny_nlp(TEXTS[0], disable=["doc_cleaner"]))
    again = ner.explain(tiny_nlp.get_pipe("transformer")(doc))
    numpy.testing.assert_allclose(again.weights, kept.weights, atol=1e-6)
    assert [e.label for e in again.entities] == [e.label for e in kept.entities]
