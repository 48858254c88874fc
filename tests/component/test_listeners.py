"""One Hero for several components: listeners, their replacement, and what can go wrong."""

import subprocess
import sys

import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.training.loop import train as spacy_train
from spacy.util import load_config
from thinc.api import Adam

from .helpers import (
    CNN,
    DATA,
    LISTENER,
    TEXTS,
    assert_finds,
    assert_same,
    changed,
    keep_training,
    make_examples,
    make_hero_nlp,
    probabilities,
    train,
    transformer_config,
    weights_of,
)
from .test_config import CONFIGS

STANDALONE = "spacy-hgn.Tok2VecTransformer.v1"


def tagged_examples(nlp):
    """Examples with entities and tags: whether a word is capitalized."""
    examples = []
    for example in make_examples(nlp):
        tags = ["UP" if token.is_title else "LOW" for token in example.reference]
        ents = {"entities": dict(DATA)[example.text], "tags": tags}
        examples.append(Example.from_dict(nlp.make_doc(example.text), ents))
    return examples


def test_a_tagger_shares_the_hero(tiny_bert, tmp_path):
    nlp = make_hero_nlp(tiny_bert)
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}
    nlp.add_pipe("tagger", config={"model": tagger})
    examples = tagged_examples(nlp)
    nlp.initialize(lambda: examples)
    assert nlp.get_pipe("transformer").listening_components == ["hgn_ner", "tagger"]
    before = weights_of(nlp.get_pipe("transformer").model)
    keep_training(nlp, examples, Adam(0.003), 60)
    assert changed(before, weights_of(nlp.get_pipe("transformer").model))
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_finds(loaded)
    assert [t.tag_ for t in loaded(TEXTS[2])] == ["UP", "LOW", "LOW"]


def test_an_upstream_by_name(tiny_bert, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", name="other", config=transformer_config(tiny_bert))
    nlp.add_pipe("transformer", name="hero", config=transformer_config(tiny_bert))
    tok2vec = {**LISTENER, "upstream": "hero"}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": tok2vec, "windows": [3]}})
    train(nlp, steps=2)
    assert nlp.get_pipe("hero").listening_components == ["hgn_ner"]
    assert nlp.get_pipe("other").listening_components == []
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.get_pipe("hero").listening_components == ["hgn_ner"]
    assert_same(probabilities(loaded), probabilities(nlp))


def test_an_upstream_that_is_not_there(tiny_bert):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": {**LISTENER, "upstream": "hero"}}})
    with pytest.raises(ValueError, match=r"listens to a component called 'hero'.*\['transformer'"):
        train(nlp, steps=0)


def test_a_listener_without_transformer():
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner")
    with pytest.raises(ValueError, match="Add a 'transformer' before it"):
        train(nlp, steps=0)


def test_a_transformer_behind_its_listener(tiny_bert):
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner")
    nlp.add_pipe("transformer", config=transformer_config(tiny_bert))
    with pytest.raises(ValueError, match="Add a 'transformer' before it"):
        train(nlp, steps=0)


def test_a_disabled_transformer(tiny_nlp):
    with tiny_nlp.select_pipes(disable="transformer"):
        with pytest.raises(ValueError, match="reads the vectors of the component"):
            tiny_nlp(TEXTS[0])
        assert tiny_nlp("").ents == ()
    assert_finds(tiny_nlp)


@pytest.mark.slow
def test_an_excluded_transformer(tiny_folder):
    code = f"import spacy; spacy.load({str(tiny_folder)!r}, exclude=['transformer'])('Tim Cook.')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ValueError: hgn_ner reads the vectors of the component" in done.stderr


def test_replaced_listeners(tiny_nlp, tmp_path):
    expected = probabilities(tiny_nlp)
    tiny_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    tiny_nlp.remove_pipe("transformer")
    tok2vec = tiny_nlp.get_pipe_config("hgn_ner")["model"]["tok2vec"]
    assert tok2vec["@architectures"] == STANDALONE
    assert tok2vec["precision"] == "float32"
    assert_same(probabilities(tiny_nlp), expected)
    tiny_nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.config.to_str() == tiny_nlp.config.to_str()
    assert_same(probabilities(loaded), expected)
    assert_finds(loaded)


@pytest.mark.slow
def test_replaced_listeners_of_a_pretrained_hero(minilm_folder, tmp_path):
    nlp = spacy.load(minilm_folder)
    nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path))


def test_replaced_listeners_can_be_trained_on(tiny_nlp):
    shared = tiny_nlp.get_pipe("transformer").model
    tiny_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    ner = tiny_nlp.get_pipe("hgn_ner")
    before, before_shared = weights_of(ner.model), weights_of(shared)
    keep_training(tiny_nlp, make_examples(tiny_nlp), Adam(0.001), 2)
    still = before.keys() - changed(before, weights_of(ner.model))
    assert all("gang.units.0.recur" in name for name in still)  # a window of 1 takes no step
    assert not changed(before_shared, weights_of(shared))


def test_a_standalone_hero_from_the_config(tiny_bert, tmp_path):
    settings = transformer_config(tiny_bert)["model"]
    tok2vec = {**settings, "@architectures": STANDALONE, "pooling": LISTENER["pooling"]}
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": tok2vec, "windows": [3]}})
    losses = train(nlp, steps=10, learn_rate=0.003)
    assert losses[-1] < losses[0]
    nlp.to_disk(tmp_path)
    assert_same(probabilities(spacy.load(tmp_path)), probabilities(nlp))


def test_source_into_another_pipeline(tiny_nlp):
    other = spacy.blank("xx")
    other.add_pipe("transformer", source=tiny_nlp)
    other.add_pipe("hgn_ner", name="names", source=tiny_nlp)
    assert_same(other.get_pipe("names").predict(list(other.pipe(TEXTS))), probabilities(tiny_nlp))
    assert_finds(other)


def test_source_with_replaced_listeners(tiny_folder):
    config = {
        "nlp": {"lang": "xx", "pipeline": ["hgn_ner"]},
        "components": {
            "hgn_ner": {"source": str(tiny_folder), "replace_listeners": ["model.tok2vec"]}
        },
    }
    nlp = spacy.blank("xx").from_config(config)
    assert nlp.pipe_names == ["hgn_ner"]
    assert_finds(nlp)


@pytest.mark.parametrize("frozen", [True, False])
def test_spacy_train_with_a_sourced_hero(frozen, tiny_folder, tmp_path):
    nlp = spacy.load(tiny_folder)
    DocBin(docs=[eg.reference for eg in make_examples(nlp)]).to_disk(tmp_path / "train.spacy")
    config = load_config(CONFIGS / "hgn.cfg", interpolate=False)
    config["paths"].update(train=str(tmp_path / "train.spacy"), dev=str(tmp_path / "train.spacy"))
    config["nlp"]["lang"] = nlp.lang
    config["components"]["transformer"] = {"source": str(tiny_folder)}
    config["training"].update(max_steps=2, eval_frequency=2)
    if frozen:
        config["training"]["frozen_components"] = ["transformer"]
        config["training"]["annotating_components"] = ["transformer"]
    nlp = init_nlp(config)
    before = weights_of(nlp.get_pipe("transformer").model)
    trained, _ = spacy_train(nlp)
    assert bool(changed(before, weights_of(trained.get_pipe("transformer").model))) != frozen


def test_a_tok2vec_listener_as_the_hero(tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "tok2vec"}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": listener, "windows": [1, 3]}})
    train(nlp)
    assert_finds(nlp)
    expected = probabilities(nlp)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_same(probabilities(loaded), expected)
    loaded.replace_listeners("tok2vec", "hgn_ner", ["model.tok2vec"])
    loaded.remove_pipe("tok2vec")
    assert_same(probabilities(loaded), expected)


def make_tok2vec_nlp(*names: str, upstream: str = "*"):
    """A pipeline of tok2vecs and an hgn_ner that listens to one of them, trained."""
    nlp = spacy.blank("xx")
    for name in names:
        nlp.add_pipe("tok2vec", name=name, config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": upstream}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": listener, "windows": [1, 3]}})
    train(nlp)
    return nlp


NO_VECTORS = "hgn_ner reads the vectors of the component .*but it has none: 'Tim Cook runs"


def test_a_tok2vec_that_is_disabled_or_excluded_is_an_error(tmp_path):
    nlp = make_tok2vec_nlp("tok2vec")
    nlp.to_disk(tmp_path)
    with nlp.select_pipes(disable="tok2vec"), pytest.raises(ValueError, match=NO_VECTORS):
        nlp(TEXTS[0])
    for absent in ({"exclude": ["tok2vec"]}, {"disable": ["tok2vec"]}):
        with pytest.raises(ValueError, match=NO_VECTORS):
            spacy.load(tmp_path, **absent)(TEXTS[0])
    assert_finds(nlp)
    assert nlp("").ents == ()


def test_a_tok2vec_behind_is_an_error(tmp_path):
    make_tok2vec_nlp("tok2vec").to_disk(tmp_path)
    config = {"nlp": {"pipeline": ["hgn_ner", "tok2vec"]}}
    with pytest.raises(ValueError, match=NO_VECTORS):
        spacy.load(tmp_path, config=config)(TEXTS[0])


def test_vectors_of_a_tok2vec_for_other_tokens_are_an_error():
    nlp = make_tok2vec_nlp("tok2vec")
    doc = nlp(TEXTS[0], disable=["hgn_ner"])
    with doc.retokenize() as retokenizer:
        retokenizer.merge(doc[0:2])
    doc.tensor = nlp(TEXTS[0]).tensor
    with pytest.raises(ValueError, match=r"has 6 tokens, but 7 vectors.*merged or split since"):
        nlp.get_pipe("hgn_ner")(doc)


def test_vectors_of_another_tok2vec_are_an_error():
    """A Doc has one place for them, and the last one's are read."""
    nlp = make_tok2vec_nlp("other", "hero", upstream="hero")
    assert_finds(nlp)
    wrong = r"listens to the component 'hero', but .* is 'other'"
    with nlp.select_pipes(disable="hero"), pytest.raises(ValueError, match=wrong):
        nlp(TEXTS[0])
    with pytest.raises(ValueError, match=r"listens to the component 'other', but .* is 'hero'"):
        make_tok2vec_nlp("other", "hero", upstream="other")(TEXTS[0])


def test_vectors_of_another_transformer_are_an_error(tiny_bert):
    nlp = spacy.blank("xx")
    for name in ("hero", "other"):
        nlp.add_pipe("transformer", name=name, config=transformer_config(tiny_bert))
    tok2vec = {**LISTENER, "upstream": "hero"}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": tok2vec, "windows": [3]}})
    train(nlp, steps=1)
    with pytest.raises(ValueError, match=r"listens to the component 'hero', but .* is 'other'"):
        nlp(TEXTS[0])
    with nlp.select_pipes(disable="other"):
        assert nlp(TEXTS[0]).has_annotation("ENT_IOB")


def test_a_batch_that_was_learnt_is_not_read_again():
    """Without its tok2vec the next update would learn from the old vectors."""
    nlp = make_tok2vec_nlp("tok2vec")
    with pytest.raises(ValueError, match="E203"):
        nlp.update(make_examples(nlp), sgd=False, exclude=["tok2vec"])
    nlp.update(make_examples(nlp), sgd=False, exclude=["tok2vec"], annotates=["tok2vec"])


def test_a_tok2vec_listener_without_tok2vec():
    nlp = spacy.blank("xx")
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": listener}})
    with pytest.raises(ValueError, match="hgn_ner listens to a component"):
        train(nlp, steps=0)


def test_analyze_pipes(tiny_nlp):
    analysis = tiny_nlp.analyze_pipes()
    assert analysis["problems"] == {"transformer": [], "hgn_ner": []}
    assert analysis["summary"]["hgn_ner"]["assigns"] == [
        "doc.ents",
        "doc.spans",
        "span._.score",
        "token.ent_iob",
        "token.ent_type",
    ]
    assert "ents_f" in analysis["summary"]["hgn_ner"]["scores"]


@pytest.mark.parametrize(("factor", "warnings"), [(1.0, 1), (400.0, 0)])
def test_a_mean_beside_sums_on_a_tok2vec_of_spacys_is_a_warning(factor, warnings, caplog):
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    nlp.add_pipe("tagger", config={"model": {"tok2vec": listener}})
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": listener}, "loss_factor": factor})
    examples = tagged_examples(nlp)
    nlp.initialize(lambda: examples)
    found = [record.getMessage() for record in caplog.records if "loss_factor" in record.msg]
    assert len(found) == warnings
    assert all("On tok2vec, the loss of hgn_ner" in each and "tagger" in each for each in found)


def test_there_is_no_such_warning_on_our_transformer_or_alone(tiny_bert, caplog):
    nlp = make_hero_nlp(tiny_bert)
    nlp.add_pipe("tagger", config={"model": {"tok2vec": LISTENER}})
    examples = tagged_examples(nlp)
    nlp.initialize(lambda: examples)
    assert not caplog.records


def test_two_means_on_one_tok2vec_weigh_alike(caplog):
    nlp = spacy.blank("xx")
    nlp.add_pipe("tok2vec", config={"model": CNN})
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": 32, "upstream": "*"}
    for name in ("hgn_ner", "other"):
        nlp.add_pipe("hgn_ner", name=name, config={"model": {"tok2vec": listener}})
    nlp.initialize(lambda: make_examples(nlp))
    assert not caplog.records
