"""Labels: where they come from, and what a new one changes."""

import logging

import numpy
import pytest
import spacy
import srsly
from spacy.training import Example
from thinc.api import Adam

from .helpers import (
    DATA,
    LABELS,
    assert_finds,
    assert_same,
    entities_of,
    keep_training,
    make_examples,
    make_nlp,
    probabilities,
    train,
)


def test_labels_come_from_the_data():
    nlp = make_nlp()
    train(nlp, steps=0)
    ner = nlp.get_pipe("hgn_ner")
    assert ner.labels == LABELS
    assert ner.label_data == list(LABELS)
    assert nlp.pipe_labels["hgn_ner"] == list(LABELS)
    assert all(label in nlp.vocab.strings for label in LABELS)


def test_labels_come_from_init_labels(tmp_path):
    path = tmp_path / "hgn_ner.json"
    srsly.write_json(path, ["PERSON", "DATE"])
    nlp = make_nlp()
    nlp.config["initialize"]["components"]["hgn_ner"] = {
        "labels": {"@readers": "spacy.read_labels.v1", "path": str(path)}
    }
    nlp.initialize(lambda: make_examples(nlp))
    assert nlp.get_pipe("hgn_ner").labels == ("PERSON", "DATE")


def test_label_data_is_what_initialize_reads():
    first, second = make_nlp(), make_nlp()
    train(first, steps=0)
    examples = make_examples(second, DATA[:1])
    labels = first.get_pipe("hgn_ner").label_data
    second.get_pipe("hgn_ner").initialize(lambda: examples, nlp=second, labels=labels)
    assert second.get_pipe("hgn_ner").labels == LABELS


def test_labels_added_before_training_come_first():
    nlp = make_nlp()
    ner = nlp.get_pipe("hgn_ner")
    assert ner.add_label("PERSON") == 1
    assert ner.add_label("PERSON") == 0
    train(nlp)
    assert ner.labels == ("PERSON", "GPE", "ORG")
    assert_finds(nlp)


def test_labels_survive_storage(tmp_path):
    nlp = make_nlp()
    ner = nlp.get_pipe("hgn_ner")
    for label in ("ZEBRA", "apple"):
        ner.add_label(label)
    train(nlp, steps=0)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.get_pipe("hgn_ner").labels == ("ZEBRA", "apple", *LABELS)
    assert "ZEBRA" in loaded.vocab.strings


@pytest.mark.parametrize("tag_scheme", ["bio", "biluo"])
def test_a_label_added_after_training(tag_scheme, tmp_path):
    nlp = make_nlp(tag_scheme=tag_scheme)
    optimizer = Adam(0.01)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    keep_training(nlp, examples, optimizer, 30)
    ner = nlp.get_pipe("hgn_ner")
    old = probabilities(nlp)

    assert ner.add_label("PERSON") == 0
    assert ner.add_label("WEATHER") == 1
    assert ner.labels == (*LABELS, "WEATHER")
    assert ner.is_resizable
    among_old = [array[:, : old[0].shape[1]] for array in probabilities(nlp)]
    assert_same([array / array.sum(axis=1, keepdims=True) for array in among_old], old)
    assert_finds(nlp)

    data = [*DATA[:2], ("It rains.", [(3, 8, "WEATHER")]), DATA[3]]
    keep_training(nlp, make_examples(nlp, data), optimizer, 30)
    assert_finds(nlp, data)
    nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path), data)


def test_adam_goes_on_with_what_a_new_label_does_not_change():
    nlp = make_nlp()
    optimizer = Adam(0.01)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    keep_training(nlp, examples, optimizer, 2)
    updates = dict(optimizer.nr_update)
    nlp.get_pipe("hgn_ner").add_label("WEATHER")
    keep_training(nlp, examples, optimizer, 1)
    begun = {name for (_, name), count in optimizer.nr_update.items() if count == 1}
    assert begun == {"classifier.weight", "classifier.bias"}
    assert optimizer.nr_update.keys() == updates.keys()


def test_a_label_added_after_loading(cnn_folder):
    nlp = spacy.load(cnn_folder)
    assert nlp.get_pipe("hgn_ner").add_label("WEATHER") == 1
    assert_finds(nlp)
    assert probabilities(nlp)[0].shape[1] == 9


@pytest.mark.parametrize(
    "label", ["B-CELL", "O", "I-", "person-name", "ÖRTCHEN", "人名", "two words"]
)
@pytest.mark.parametrize("tag_scheme", ["bio", "biluo"])
def test_any_characters_in_labels(label, tag_scheme, tmp_path):
    data = [("Tim Cook lives here.", [(0, 8, label)]), ("Mary came.", [(0, 4, "MARY")])]
    nlp = make_nlp(tag_scheme=tag_scheme)
    train(nlp, data)
    assert_finds(nlp, data)
    nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path), data)


@pytest.mark.parametrize("label", ["", " ", " X", "X ", "X\n", "a\tb", 9, None, ("X",)])
def test_labels_that_tags_cannot_carry(label):
    ner = make_nlp().get_pipe("hgn_ner")
    with pytest.raises(ValueError, match="label"):
        ner.add_label(label)
    assert ner.labels == ()


def test_initialize_twice():
    nlp = make_nlp()
    train(nlp)
    more = [*DATA, ("It rains.", [(3, 8, "WEATHER")])]
    train(nlp, more, steps=0)
    assert nlp.get_pipe("hgn_ner").labels == (*LABELS, "WEATHER")
    assert not any(entities_of(nlp(text)) == ents for text, ents in DATA if ents)
    train(nlp)
    assert_finds(nlp)


def test_initialize_without_examples():
    nlp = make_nlp()
    nlp.get_pipe("hgn_ner").add_label("PERSON")
    nlp.initialize()
    assert probabilities(nlp)[0].shape == (7, 3)


@pytest.mark.parametrize("examples", [lambda: [], lambda: None, lambda: ["text"], []])
def test_initialize_without_proper_examples(examples):
    nlp = make_nlp()
    with pytest.raises(TypeError, match=r"E930|E978"):
        nlp.get_pipe("hgn_ner").initialize(examples, nlp=nlp)


def test_initialize_with_empty_texts():
    nlp = make_nlp()
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    nlp.get_pipe("hgn_ner").add_label("PERSON")
    nlp.initialize(lambda: [empty])
    assert [doc.ents for doc in nlp.pipe(["", " "])] == [(), ()]


@pytest.mark.parametrize("model", [{}, {"windows": []}])
def test_data_without_entities(model, caplog, tmp_path):
    nlp = make_nlp(model)
    data = [("It rains.", []), ("It snows again.", [])]
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        losses = train(nlp, data, steps=3)
    assert "no entities in the data" in caplog.text
    assert losses == [0, 0, 0]
    nlp.to_disk(tmp_path)
    assert entities_of(spacy.load(tmp_path)("It rains.")) == []


def test_data_with_entities_give_no_warning(caplog):
    with caplog.at_level(logging.WARNING, "spacy_hgn"):
        train(make_nlp(), steps=1)
    assert not caplog.records


@pytest.mark.parametrize("nO", [5, 9])
def test_an_output_width_that_contradicts_the_labels(nO):
    nlp = make_nlp({"nO": nO})
    with pytest.raises(ValueError, match=rf"nO = {nO}, .*GPE, ORG, PERSON.* need 7 tags"):
        train(nlp, steps=0)


def test_an_output_width_that_fits_the_labels():
    nlp = make_nlp({"nO": 7})
    train(nlp)
    assert_finds(nlp)


def test_probabilities_are_a_distribution(cnn_nlp):
    for array in probabilities(cnn_nlp):
        assert array.shape[1] == 7
        numpy.testing.assert_allclose(array.sum(axis=1), 1, atol=1e-5)
