"""What is stored and loaded: the whole, and without some of its parts."""

from pathlib import Path

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from thinc.api import Config, ConfigValidationError

from .helpers import (
    CNN,
    DATA,
    LABELS,
    TEXTS,
    Entities,
    assert_finds,
    assert_same,
    entities_of,
    keep_training,
    make_examples,
    make_nlp,
    probabilities,
    train,
)


@pytest.fixture
def untrained() -> Language:
    """A pipeline of the same config, that knows nothing."""
    return make_nlp()


# The component


@pytest.mark.parametrize("exclude", [["cfg"], ["model"], ["vocab"], ["cfg", "model"]])
def test_parts_of_bytes_can_be_excluded(exclude, nlp, untrained):
    whole = nlp.get_pipe("hgn_ner").to_bytes()
    assert len(nlp.get_pipe("hgn_ner").to_bytes(exclude=exclude)) < len(whole)
    ner = untrained.get_pipe("hgn_ner")
    if exclude == ["cfg"]:
        with pytest.raises(ValueError, match=r"nO = 7, .*need 1 tags"):
            ner.from_bytes(whole, exclude=exclude)
        return
    ner.from_bytes(whole, exclude=exclude)
    assert ner.labels == (() if "cfg" in exclude else LABELS)
    if exclude == ["vocab"]:
        assert_finds(untrained)
    elif "model" in exclude:
        with pytest.raises(ValueError, match="E109"):
            untrained(TEXTS[0])


def test_bytes_without_a_part_leave_what_is_there(nlp):
    ner = nlp.get_pipe("hgn_ner")
    ner.from_bytes(ner.to_bytes(exclude=["model"]))
    ner.from_bytes(ner.to_bytes(exclude=["cfg", "model", "vocab"]))
    assert ner.labels == LABELS
    assert_finds(nlp)


def test_bytes_and_folder_hold_the_same(nlp, tmp_path):
    ner = nlp.get_pipe("hgn_ner")
    ner.to_disk(tmp_path, exclude=["vocab"])
    from_disk, from_bytes = make_nlp(), make_nlp()
    from_disk.get_pipe("hgn_ner").from_disk(tmp_path, exclude=["vocab"])
    from_bytes.get_pipe("hgn_ner").from_bytes(ner.to_bytes(exclude=["vocab"]))
    assert_same(probabilities(from_disk), probabilities(nlp))
    assert_same(probabilities(from_bytes), probabilities(nlp))


def test_the_same_component_gives_the_same_bytes(cnn_folder):
    first, second = (spacy.load(cnn_folder).get_pipe("hgn_ner") for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


def test_an_untrained_component_round_trips(untrained, tmp_path):
    untrained.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.get_pipe("hgn_ner").labels == ()
    train(loaded)
    assert_finds(loaded)


def test_labels_come_into_a_vocabulary_that_lacks_them(untrained):
    nlp = make_nlp()
    nlp.get_pipe("hgn_ner").add_label("SPECIES")
    train(nlp, steps=0)
    assert "SPECIES" not in untrained.vocab.strings
    data = nlp.get_pipe("hgn_ner").to_bytes(exclude=["vocab"])
    untrained.get_pipe("hgn_ner").from_bytes(data, exclude=["vocab"])
    assert "SPECIES" in untrained.vocab.strings


# The pipeline


@pytest.mark.parametrize("exclude", [["hgn_ner"], ["vocab"], ["tokenizer"], ["meta"]])
def test_parts_of_a_pipelines_bytes_can_be_excluded(exclude, nlp, untrained):
    untrained.from_bytes(nlp.to_bytes(exclude=exclude))
    if exclude == ["hgn_ner"]:
        assert untrained.get_pipe("hgn_ner").labels == ()
    else:
        assert_finds(untrained)


@pytest.mark.parametrize("exclude", [["strings"], ["vocab"], ["lookups", "vectors"]])
def test_a_pipeline_without_strings_finds_the_same(exclude, nlp, tmp_path):
    nlp.to_disk(tmp_path, exclude=exclude)
    loaded = spacy.load(tmp_path, exclude=exclude)
    assert_finds(loaded)
    assert [ent.label_ for ent in loaded(TEXTS[0]).ents] == ["PERSON", "ORG", "GPE"]


def test_a_round_trip_of_a_round_trip_changes_nothing(nlp, tmp_path):
    def files(folder: Path) -> dict[str, bytes]:
        own = [*(folder / "hgn_ner").iterdir(), folder / "config.cfg"]
        return {path.name: path.read_bytes() for path in own}

    nlp.to_disk(tmp_path / "first")
    spacy.load(tmp_path / "first").to_disk(tmp_path / "second")
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_the_config_says_what_the_component_is(nlp):
    config = Config().from_str(nlp.config.to_str())["components"]["hgn_ner"]
    assert config["factory"] == "hgn_ner"
    assert config["model"]["windows"] == [1, 3]
    assert config["model"]["tok2vec"] == CNN
    assert nlp.meta["labels"]["hgn_ner"] == list(LABELS)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("decodr", "viterbi"), ("scores", "maybe"), ("threshold", "high"), ("tag_scheme", 1)],
)
def test_impossible_settings_of_the_component_are_refused(setting, value):
    with pytest.raises(ConfigValidationError, match=setting):
        make_nlp(**{setting: value})


def test_settings_can_be_overridden_on_loading(cnn_folder):
    config = {"components": {"hgn_ner": {"decoder": "argmax", "threshold": 0.5}}}
    ner = spacy.load(cnn_folder, config=config).get_pipe("hgn_ner")
    assert (ner.decoder, ner.threshold) == ("argmax", 0.5)


def test_training_goes_on_with_what_the_bytes_hold(nlp, untrained):
    untrained.from_bytes(nlp.to_bytes())
    data = [*DATA[:2], ("It rains.", [(0, 2, "GPE")]), DATA[3]]
    keep_training(untrained, make_examples(untrained, data), untrained.resume_training(), 40)
    assert_finds(untrained, data)


# Other pipelines and languages


@pytest.mark.parametrize("lang", ["en", "de", "xx"])
def test_into_a_pipeline_of_another_language(lang, nlp):
    other = spacy.blank(lang)
    other.add_pipe("hgn_ner", source=nlp)
    words = [token.text for token in nlp(TEXTS[0])]
    doc = other(Doc(other.vocab, words=words))
    assert [(ent.text, ent.label_) for ent in doc.ents] == [
        ("Tim Cook", "PERSON"),
        ("Apple", "ORG"),
        ("Cupertino", "GPE"),
    ]


@pytest.mark.parametrize(
    ("lang", "data"),
    [
        ("de", [("Frau Groß wohnt in Köln.", [(5, 9, "PER"), (19, 23, "LOC")])]),
        ("zh", [("王小明住在北京。", [(0, 3, "PER"), (5, 7, "LOC")])]),
        ("ar", [("سافر أحمد إلى القاهرة", [(5, 9, "PER"), (14, 21, "LOC")])]),
        ("he", [("דוד גר בחיפה", [(0, 3, "PER")])]),
    ],
)
def test_languages(lang: str, data: list[tuple[str, Entities]], tmp_path):
    nlp = spacy.blank(lang)
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": CNN, "windows": [1, 3]}})
    train(nlp, data)
    assert_finds(nlp, data)
    nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path), data)


# Docs


@pytest.mark.parametrize("way", ["bytes", "DocBin", "disk", "json"])
def test_predicted_docs_round_trip(way, nlp, tmp_path):
    docs = list(nlp.pipe([*TEXTS, ""]))
    if way == "bytes":
        again = [Doc(Vocab()).from_bytes(doc.to_bytes()) for doc in docs]
    elif way == "DocBin":
        stored = DocBin(docs=docs, store_user_data=True).to_bytes()
        again = list(DocBin().from_bytes(stored).get_docs(Vocab()))
    elif way == "json":
        again = [Doc(Vocab()).from_json(doc.to_json()) for doc in docs]
    else:
        for i, doc in enumerate(docs):
            doc.to_disk(tmp_path / str(i))
        again = [Doc(Vocab()).from_disk(tmp_path / str(i)) for i in range(len(docs))]
    assert [entities_of(doc) for doc in again] == [ents for _, ents in DATA] + [[]]
    for doc, original in zip(again, docs):
        assert [token.ent_iob for token in doc] == [token.ent_iob for token in original]


def test_copies_and_parts_of_docs_keep_the_entities(nlp):
    doc = nlp(TEXTS[0])
    assert entities_of(doc.copy()) == DATA[0][1]
    part = doc[:4].as_doc()
    assert entities_of(part) == DATA[0][1][:2]
    joined = Doc.from_docs([nlp(text) for text in TEXTS])
    assert len(joined.ents) == sum(len(ents) for _, ents in DATA)
