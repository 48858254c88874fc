"""hgn_ner is refused over another Transformer or tok2vec than it was trained with."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from spacy_hgn.util.cfg import cfg_from_bytes, cfg_to_bytes

from .helpers import (
    CNN,
    DATA,
    LISTENER,
    TEXTS,
    assert_finds,
    assert_same,
    keep_training,
    make_examples,
    make_hero_nlp,
    probabilities,
    train,
    train_to_disk,
    transformer_config,
)

REFUSED = r"hgn_ner was trained with another Transformer \(or tok2vec\)"
WARNED = "hgn_ner now learns with another Transformer"


def make_tok2vec_nlp() -> Language:
    """hgn_ner behind a spaCy tok2vec that others could listen to as well."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": listener, "windows": [1, 3]}})
    return nlp


def make_plain_nlp(hero: str) -> Language:
    """hgn_ner behind spacy-transformers' own model."""
    config = transformer_config(hero)
    config["model"]["@architectures"] = "spacy-transformers.TransformerModel.v3"
    del config["model"]["precision"]
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=config)
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [1, 3]}})
    return nlp


def make_shared_nlp(hero: str) -> Language:
    """A tagger and hgn_ner behind one Transformer."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(hero))
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [1, 3]}})
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}
    nlp.add_pipe("tagger", config={"model": tagger})
    return nlp


def tagged_examples(nlp: Language) -> list[Example]:
    found = []
    for text, entities in DATA:
        doc = nlp.make_doc(text)
        tags = ["UP" if token.is_title else "LOW" for token in doc]
        found.append(Example.from_dict(doc, {"entities": entities, "tags": tags}))
    return found


@pytest.fixture(scope="module")
def other_folder(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline like that of ``tiny_folder``, trained for less long."""
    folder = tmp_path_factory.mktemp("other")
    return train_to_disk(make_hero_nlp(tiny_bert), folder, steps=3, learn_rate=0.003)


def mix(own: Path, other: Path, into: Path) -> Path:
    """A copy of a pipeline that has the hgn_ner of another one."""
    shutil.copytree(own, into, dirs_exist_ok=True)
    shutil.rmtree(into / "hgn_ner")
    shutil.copytree(other / "hgn_ner", into / "hgn_ner")
    return into


def without_stamp(folder: Path, into: Path) -> Path:
    """The pipeline as earlier releases stored it."""
    shutil.copytree(folder, into, dirs_exist_ok=True)
    path = into / "hgn_ner" / "cfg"
    cfg = cfg_from_bytes(path.read_bytes(), "cfg")
    del cfg["trained_with"]
    path.write_bytes(cfg_to_bytes(cfg))
    return into


# Refused


@pytest.mark.parametrize("make", [make_hero_nlp, make_plain_nlp, make_tok2vec_nlp])
def test_folders_of_two_pipelines(make, tiny_bert, tmp_path):
    arguments: list[Any] = [] if make is make_tok2vec_nlp else [tiny_bert]
    for name, steps in (("one", 1), ("two", 2)):
        train_to_disk(make(*arguments), tmp_path / name, steps=steps)
    mixed = mix(tmp_path / "one", tmp_path / "two", tmp_path / "mixed")
    nlp = spacy.load(mixed)
    with pytest.raises(ValueError, match=REFUSED):
        nlp(TEXTS[0])
    nlp.to_disk(tmp_path / "again")
    with pytest.raises(ValueError, match=REFUSED):
        list(spacy.load(tmp_path / "again").pipe(TEXTS))


def test_a_component_of_another_pipeline(tiny_nlp, other_folder):
    nlp = spacy.load(other_folder, exclude=["hgn_ner"])
    nlp.add_pipe("hgn_ner", source=tiny_nlp)
    with pytest.raises(ValueError, match=REFUSED):
        nlp(TEXTS[0])
    assert_finds(tiny_nlp)  # has it still
    with pytest.raises(ValueError, match=REFUSED):
        nlp(TEXTS[0])


def test_a_component_of_another_pipeline_that_was_never_stored(tiny_bert, other_folder):
    trained = make_hero_nlp(tiny_bert)
    train(trained, steps=2)
    nlp = spacy.load(other_folder, exclude=["hgn_ner"])
    nlp.add_pipe("hgn_ner", source=trained)
    with pytest.raises(ValueError, match=REFUSED):
        nlp(TEXTS[0])
    list(trained.pipe(TEXTS))


def test_a_frozen_component_over_a_transformer_that_is_trained(tiny_bert, tmp_path):
    nlp = make_shared_nlp(tiny_bert)
    examples = tagged_examples(nlp)
    nlp.initialize(lambda: examples)
    keep_training(nlp, examples, Adam(0.003), 2)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    list(loaded.pipe(TEXTS))
    optimizer = Adam(0.003)
    for _ in range(2):  # spaCy moves a Transformer by the gradients of the step before
        loaded.update(tagged_examples(loaded), sgd=optimizer, exclude=["hgn_ner"])
    with pytest.raises(
        ValueError, match=rf"{REFUSED}.*freeze both hgn_ner and what it reads, or neither"
    ):
        loaded(TEXTS[0])


# Learning over another one is told


def test_learning_on_over_another_transformer_is_told(tiny_nlp, other_folder, caplog, tmp_path):
    nlp = spacy.load(other_folder, exclude=["hgn_ner"])
    nlp.add_pipe("hgn_ner", source=tiny_nlp)
    keep_training(nlp, make_examples(nlp), Adam(0.003), 60)
    assert [message.startswith(WARNED) for message in caplog.messages].count(True) == 1
    assert_finds(nlp)
    nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path))


# No false alarms


def test_trained_on_and_stored_again(tiny_nlp, tmp_path, caplog):
    for step in range(2):
        keep_training(tiny_nlp, make_examples(tiny_nlp), Adam(0.001), 2)
        expected = probabilities(tiny_nlp)
        tiny_nlp.to_disk(tmp_path / str(step))
        tiny_nlp = spacy.load(tmp_path / str(step))
        assert_same(probabilities(tiny_nlp), expected)
    assert WARNED not in caplog.text


def test_a_batch_without_entities_before_it_learns(tiny_bert, tmp_path, caplog):
    """Its component learns nothing there, but the Transformer may, from another one."""
    nlp = make_shared_nlp(tiny_bert)
    nlp.initialize(lambda: tagged_examples(nlp))
    keep_training(nlp, tagged_examples(nlp), Adam(0.003), 2)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    tags_alone = [
        Example.from_dict(e.predicted, {"tags": ["LOW"] * len(e.predicted)})
        for e in tagged_examples(loaded)
    ]
    keep_training(loaded, tags_alone, Adam(0.003), 2)
    keep_training(loaded, tagged_examples(loaded), Adam(0.003), 2)
    list(loaded.pipe(TEXTS))
    assert WARNED not in caplog.text


def test_components_of_one_pipeline_in_another(tiny_nlp):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", source=tiny_nlp)
    nlp.add_pipe("hgn_ner", source=tiny_nlp)
    assert_finds(nlp)


def test_the_same_transformer_from_another_process_or_file(tiny_folder, tiny_nlp):
    nlp = spacy.load(tiny_folder, exclude=["hgn_ner"])
    nlp.add_pipe("hgn_ner", source=tiny_nlp)
    assert_finds(nlp)
    keep_training(tiny_nlp, make_examples(tiny_nlp), Adam(0.003), 1)
    copied = spacy.blank("xx").from_config(tiny_nlp.config).from_bytes(tiny_nlp.to_bytes())
    assert_same(probabilities(copied), probabilities(tiny_nlp))


def test_processes(tiny_nlp):
    expected = [doc.to_json()["ents"] for doc in tiny_nlp.pipe(TEXTS)]
    found = tiny_nlp.pipe(TEXTS, n_process=2, batch_size=1)
    assert [doc.to_json()["ents"] for doc in found] == expected


def test_rehearsed(tiny_nlp, tmp_path):
    optimizer = tiny_nlp.resume_training(sgd=Adam(0.003))
    docs = [tiny_nlp.get_pipe("transformer")(tiny_nlp.make_doc(text)) for text in TEXTS]
    tiny_nlp.rehearse([Example(doc, doc) for doc in docs], sgd=optimizer)
    tiny_nlp.to_disk(tmp_path)
    assert_same(probabilities(spacy.load(tmp_path)), probabilities(tiny_nlp))


def test_a_transformer_of_its_own(tiny_nlp, other_folder, tmp_path):
    expected = probabilities(tiny_nlp)
    tiny_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    nlp = spacy.load(other_folder, exclude=["hgn_ner"])
    nlp.add_pipe("hgn_ner", source=tiny_nlp)
    assert_same(probabilities(nlp), expected)
    nlp.to_disk(tmp_path)
    assert_same(probabilities(spacy.load(tmp_path)), expected)


def test_other_transformers_frozen_as_it_is(tiny_nlp, tmp_path):
    """The Transformer isn't trained, and annotates: it is the same afterwards."""
    settings = {"exclude": ["transformer"], "annotates": ["transformer"]}
    keep_training(tiny_nlp, make_examples(tiny_nlp), Adam(0.003), 2, **settings)
    tiny_nlp.to_disk(tmp_path)
    assert_same(probabilities(spacy.load(tmp_path)), probabilities(tiny_nlp))


def test_what_earlier_releases_stored(tiny_folder, other_folder, tmp_path):
    old = without_stamp(tiny_folder, tmp_path / "old")
    nlp = spacy.load(old)
    assert_finds(nlp)
    nlp.to_disk(tmp_path / "again")
    assert_finds(spacy.load(tmp_path / "again"))
    mixed = spacy.load(mix(other_folder, old, tmp_path / "mixed"))
    list(mixed.pipe(TEXTS))  # as before: it can't be known


def test_the_stamp_can_be_taken_off(tiny_folder, other_folder, tmp_path):
    nlp = spacy.load(mix(other_folder, tiny_folder, tmp_path))
    nlp.get_pipe("hgn_ner").trained_with = None
    list(nlp.pipe(TEXTS))


def test_the_stamp_can_be_taken_off_after_a_prediction(tiny_nlp, other_folder):
    list(tiny_nlp.pipe(TEXTS))
    tiny_nlp.get_pipe("hgn_ner").trained_with = None
    other = spacy.load(other_folder).get_pipe("transformer")
    tiny_nlp.get_pipe("transformer").from_bytes(other.to_bytes())
    list(tiny_nlp.pipe(TEXTS))


def test_the_same_training_has_the_same_stamp(tiny_bert, tmp_path):
    for name in ("one", "two"):
        fix_random_seed(0)
        train_to_disk(make_hero_nlp(tiny_bert), tmp_path / name, steps=2)
    one, two = ((tmp_path / name / "hgn_ner" / "cfg").read_bytes() for name in ("one", "two"))
    assert one == two
