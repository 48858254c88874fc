"""The component in a pipeline that is changed: renamed, removed, replaced, frozen, switched off."""

import gc
import weakref

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from thinc.api import Adam, ConfigValidationError

from .helpers import (
    CNN,
    DATA,
    LISTENER,
    TEXTS,
    assert_finds,
    assert_same,
    changed,
    entities_of,
    keep_training,
    make_examples,
    make_nlp,
    probabilities,
    train,
    transformer_config,
    weights_of,
)

# Names


def test_a_renamed_component_finds_the_same(nlp, tmp_path):
    nlp.rename_pipe("hgn_ner", "names")
    assert_finds(nlp)
    assert list(nlp(TEXTS[0]).spans) == ["names"]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.pipe_names == ["names"]
    assert_finds(loaded)


def test_a_renamed_transformer_still_feeds_its_listener(tiny_nlp, tmp_path):
    tiny_nlp.rename_pipe("transformer", "hero")
    assert_finds(tiny_nlp)
    tiny_nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path))


@pytest.mark.parametrize("name", ["my-names", "names of people", "名前"])
def test_any_characters_in_names(name, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner", name=name, config={"model": {"tok2vec": CNN, "windows": [1, 3]}})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    losses = nlp.update(examples)
    assert list(losses) == [name]
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.get_pipe(name).name == name
    assert loaded.get_pipe(name).labels == nlp.get_pipe(name).labels


# Coming and going


def test_a_removed_component_leaves_no_entities(tiny_nlp):
    tiny_nlp.remove_pipe("hgn_ner")
    assert tiny_nlp.get_pipe("transformer").listening_components == []
    doc = tiny_nlp(TEXTS[0])
    assert doc.ents == ()
    assert not doc.has_annotation("ENT_IOB")


def test_it_takes_the_place_of_spacys_ner(nlp, cnn_folder):
    other = spacy.blank("xx")
    other.add_pipe("sentencizer")
    other.add_pipe("ner")
    config = {"model": {"tok2vec": CNN, "windows": [1, 3]}}
    other.replace_pipe("ner", "hgn_ner", config=config)
    assert other.get_pipe_meta("ner").factory == "hgn_ner"
    train(other, steps=0)
    assert other.get_pipe("ner").labels == nlp.get_pipe("hgn_ner").labels
    assert [doc.has_annotation("ENT_IOB") for doc in other.pipe(TEXTS)] == [True] * len(TEXTS)


def test_before_and_behind_spacys_ner(nlp):
    """Each keeps what the other has found."""
    nlp.add_pipe("ner", first=True)
    nlp.get_pipe("ner").add_label("ANY")
    nlp.get_pipe("ner").initialize(lambda: make_examples(nlp), nlp=nlp)
    before = nlp(TEXTS[0], disable=["hgn_ner"])
    doc = nlp(TEXTS[0])
    assert set(entities_of(before)) <= set(entities_of(doc))
    assert all(token.ent_iob for token in doc)


# Switched off


def test_switched_off_it_finds_nothing(nlp):
    with nlp.select_pipes(disable="hgn_ner"):
        assert nlp(TEXTS[0]).ents == ()
    assert nlp(TEXTS[0], disable=["hgn_ner"]).ents == ()
    assert [doc.ents for doc in nlp.pipe(TEXTS, disable=["hgn_ner"])] == [()] * len(TEXTS)
    assert_finds(nlp)


def test_switched_off_on_disk(nlp, tmp_path):
    nlp.disable_pipe("hgn_ner")
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.pipe_names == []
    assert loaded.disabled == ["hgn_ner"]
    loaded.enable_pipe("hgn_ner")
    assert_finds(loaded)


# Training beside others


def test_a_frozen_component_stays_as_it_is(nlp):
    before = weights_of(nlp.get_pipe("hgn_ner").model)
    losses: dict[str, float] = {}
    examples = make_examples(nlp, [("Apple came.", [(0, 5, "PERSON")])])
    nlp.update(examples, sgd=Adam(0.1), losses=losses, exclude=["hgn_ner"])
    assert losses == {}
    assert not changed(before, weights_of(nlp.get_pipe("hgn_ner").model))


def test_later_components_see_its_entities_in_training(nlp):
    seen = []

    @Language.component("tests_entity_reader")
    def read_entities(doc: Doc) -> Doc:
        seen.append(entities_of(doc))
        return doc

    nlp.add_pipe("tests_entity_reader")
    annotates = ["hgn_ner", "tests_entity_reader"]
    nlp.update(make_examples(nlp), sgd=False, annotates=annotates)
    assert seen == [ents for _, ents in DATA]


def test_entities_in_training_are_those_of_the_annotating_component_alone(nlp):
    examples = make_examples(nlp)
    nlp.update(examples, sgd=False)
    assert all(example.predicted.ents == () for example in examples)


def test_a_frozen_hero_that_annotates_teaches_others(tiny_bert):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [1, 3]}})
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}
    nlp.add_pipe("tagger", config={"model": tagger})
    examples = [
        Example.from_dict(eg.predicted, {**eg.to_dict()["doc_annotation"], "tags": tags})
        for eg in make_examples(nlp)
        for tags in [["T" if token.is_title else "F" for token in eg.predicted]]
    ]
    nlp.initialize(lambda: examples)
    before = weights_of(nlp.get_pipe("transformer").model)
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    losses = keep_training(nlp, examples, Adam(0.01), 30, **frozen)
    assert losses[-1] < losses[0] / 5
    assert not changed(before, weights_of(nlp.get_pipe("transformer").model))


@pytest.mark.parametrize("examples", [["text"], [None], [(1, 2)], "text"])
def test_updating_without_proper_examples_is_an_error(examples, nlp):
    with pytest.raises(TypeError, match=r"E978|E979"):
        nlp.get_pipe("hgn_ner").update(examples)


def test_updating_without_examples_changes_nothing(nlp):
    before = weights_of(nlp.get_pipe("hgn_ner").model)
    losses = nlp.get_pipe("hgn_ner").update([], sgd=Adam(0.1))
    assert losses == {"hgn_ner": 0.0}
    assert not changed(before, weights_of(nlp.get_pipe("hgn_ner").model))


@pytest.mark.parametrize("argument", ["label", "lables"])
def test_misspelt_arguments_of_initialize_are_refused(argument):
    nlp = make_nlp()
    nlp.config["initialize"]["components"]["hgn_ner"] = {argument: ["PERSON"]}
    with pytest.raises(ConfigValidationError, match=argument):
        nlp.initialize(lambda: make_examples(nlp))


# Labels


def test_neither_labels_nor_data():
    nlp = make_nlp()
    nlp.initialize()
    doc = nlp("Tim Cook runs Apple.")
    assert doc.ents == ()
    assert doc.has_annotation("ENT_IOB")
    assert nlp.get_pipe("hgn_ner").labels == ()


def test_very_many_labels(tmp_path):
    nlp = make_nlp()
    ner = nlp.get_pipe("hgn_ner")
    for i in range(500):
        ner.add_label(f"LABEL{i}")
    train(nlp, steps=2)
    assert probabilities(nlp)[0].shape[1] == 1 + 2 * 503
    nlp.to_disk(tmp_path)
    assert_same(probabilities(spacy.load(tmp_path)), probabilities(nlp))


# Docs


def test_no_text_is_no_doc(nlp):
    assert list(nlp.pipe([])) == []
    assert list(nlp.get_pipe("hgn_ner").pipe(iter([]))) == []


def test_docs_are_let_go(nlp):
    """A stream of texts holds no more of them than a batch."""
    ner = nlp.get_pipe("hgn_ner")
    doc = ner(nlp.make_doc(TEXTS[0]))
    gone = weakref.ref(doc.spans)
    del doc
    gc.collect()
    assert gone() is None


def test_merged_entities_stay_entities(nlp):
    nlp.add_pipe("merge_entities")
    doc = nlp(TEXTS[0])
    assert entities_of(doc) == DATA[0][1]
    assert [ent.end - ent.start for ent in doc.ents] == [1, 1, 1]


def test_tokens_split_behind_it_keep_the_entity(nlp):
    doc = nlp(TEXTS[0])
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[5], ["Cuper", "tino"], heads=[(doc[5], 1), doc[4]])
    assert ("Cupertino", "GPE") in [(ent.text, ent.label_) for ent in doc.ents]


def test_an_entity_given_twice_is_kept_once(nlp):
    """What is predicted is where and what the Doc has already."""
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([Span(doc, 0, 2, "PERSON")], default="missing")
    assert entities_of(nlp(doc)) == DATA[0][1]
