"""The fused vectors as a tok2vec for a component other than hgn_ner."""

from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam

from .helpers import CNN, DATA, LISTENER, TEXTS, transformer_config


def add_spancat(nlp: Language, tok2vec: dict[str, Any], **settings: Any) -> None:
    """Add a span categorizer that sees the text through HeroGangTok2Vec."""
    fused = {
        "@architectures": "spacy-hgn.HeroGangTok2Vec.v1",
        "tok2vec": tok2vec,
        "windows": [1, 3],
        **settings,
    }
    model = {
        "@architectures": "spacy.SpanCategorizer.v1",
        "tok2vec": fused,
        "reducer": {"@layers": "spacy.mean_max_reducer.v1", "hidden_size": 32},
        "scorer": {"@layers": "spacy.LinearLogistic.v1"},
    }
    nlp.add_pipe("spancat", config={"model": model, "spans_key": "names"})


def train_spancat(nlp: Language, steps: int, learn_rate: float) -> None:
    examples = [
        Example.from_dict(nlp.make_doc(text), {"spans": {"names": ents}}) for text, ents in DATA
    ]
    nlp.initialize(lambda: examples)
    optimizer = Adam(learn_rate)
    for _ in range(steps):
        nlp.update(examples, sgd=optimizer)


def spans_of(doc: Doc) -> set[tuple[int, int, str]]:
    return {(s.start_char, s.end_char, s.label_) for s in doc.spans["names"]}


def assert_finds_spans(nlp: Language) -> None:
    for text, ents in DATA:
        assert spans_of(nlp(text)) == set(ents)


@pytest.mark.parametrize("windows", [[], [1, 3]])
@pytest.mark.parametrize("fusion", ["mlp", "concat"])
def test_spancat_over_a_cnn(windows, fusion, tmp_path):
    nlp = spacy.blank("xx")
    add_spancat(nlp, CNN, windows=windows, fusion=fusion)
    train_spancat(nlp, 60, 0.01)
    assert_finds_spans(nlp)
    nlp.to_disk(tmp_path)
    assert_finds_spans(spacy.load(tmp_path))


@pytest.mark.slow
def test_spancat_over_a_transformer(tiny_bert, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    add_spancat(nlp, LISTENER)
    train_spancat(nlp, 150, 0.003)
    assert_finds_spans(nlp)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_finds_spans(loaded)
    assert [spans_of(doc) for doc in loaded.pipe(["", *TEXTS])][1:] == [set(e) for _, e in DATA]


def test_hgn_ner_and_spancat_in_one_pipeline(tiny_nlp):
    add_spancat(tiny_nlp, LISTENER)
    examples = [
        Example.from_dict(tiny_nlp.make_doc(text), {"entities": ents, "spans": {"names": ents}})
        for text, ents in DATA
    ]
    tiny_nlp.get_pipe("spancat").initialize(lambda: examples, nlp=tiny_nlp)
    losses = tiny_nlp.update(examples, sgd=Adam(0.001))
    assert losses.keys() == {"transformer", "hgn_ner", "spancat"}


def test_a_round_trip_under_another_fusion_is_an_error(tmp_path):
    nlp = spacy.blank("xx")
    add_spancat(nlp, CNN, fusion="mlp")
    train_spancat(nlp, 1, 0.01)
    nlp.to_disk(tmp_path)
    override = {"components.spancat.model.tok2vec.fusion": "dot"}
    with pytest.raises(ValueError, match=r"fusion = 'mlp'.*fusion = 'dot'"):
        spacy.load(tmp_path, config=override)


MISSING = r"spacy-hgn.HeroGangTok2Vec.v1 reads the vectors of the component '\*'"


@pytest.mark.parametrize("upstream", ["transformer", "tok2vec"])
def test_vectors_that_are_not_there_are_an_error(upstream, tiny_bert):
    nlp = spacy.blank("xx")
    if upstream == "transformer":
        nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
        add_spancat(nlp, LISTENER)
    else:
        nlp.add_pipe("tok2vec", config={"model": CNN})
        listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
        add_spancat(nlp, listener)
    train_spancat(nlp, 0, 0.01)
    assert list(nlp.pipe(TEXTS))
    with nlp.select_pipes(disable=upstream), pytest.raises(ValueError, match=MISSING):
        nlp(TEXTS[0])
    train_spancat(nlp, 1, 0.01)
    with nlp.select_pipes(disable=upstream):
        with pytest.raises(ValueError, match=MISSING):
            nlp(TEXTS[0])
        assert not nlp("").spans["names"]


def test_a_transformer_behind_a_textcat_is_an_error(tiny_bert, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    tok2vec = {"@architectures": "spacy-hgn.HeroGangTok2Vec.v1", "tok2vec": LISTENER}
    model = {"@architectures": "spacy.TextCatReduce.v1", "tok2vec": {**tok2vec, "windows": [3]}}
    reducers = {f"use_reduce_{name}": name == "mean" for name in ("first", "last", "max", "mean")}
    nlp.add_pipe("textcat", config={"model": {**model, **reducers, "exclusive_classes": True}})
    cats = [{"cats": {"A": float(i % 2), "B": float(1 - i % 2)}} for i in range(len(TEXTS))]
    examples = [Example.from_dict(nlp.make_doc(t), each) for t, each in zip(TEXTS, cats)]
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=Adam(0.01))
    assert set(nlp(TEXTS[0]).cats) == {"A", "B"}
    nlp.to_disk(tmp_path)
    config = {"nlp.pipeline": ["textcat", "transformer"]}
    with pytest.raises(ValueError, match=MISSING):
        spacy.load(tmp_path, config=config)(TEXTS[0])
    with pytest.raises(ValueError, match=MISSING):
        spacy.load(tmp_path, exclude=["transformer"])(TEXTS[0])
