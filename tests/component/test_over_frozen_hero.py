"""hgn_ner over a frozen Hero: it learns and the Hero doesn't, alone and beside others."""

from pathlib import Path

import numpy
import pytest
import spacy
from spacy.tokens import DocBin
from spacy.training import Example
from thinc.api import Adam

from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.hero.frozen import frozen_hero
from spacy_hgn.hero.frozen.frozen_hero import FrozenHero
from spacy_hgn.tagger.flat import shim_of

from .helpers import (
    DATA,
    LISTENER,
    MIXED,
    TEXTS,
    assert_finds,
    assert_same,
    changed,
    entities_of,
    keep_training,
    make_examples,
    make_hero_nlp,
    probabilities,
    step_gradients,
    train,
    train_to_disk,
    transformer_config,
    weights_of,
)

STANDALONE = "spacy-hgn.Tok2VecFrozenTransformer.v1"
HEAD = {"windows": [3], "fusion": "add", "normalize": True, "feed_forward": 2, "head_dropout": True}
TRAINING = {"steps": 60, "learn_rate": 0.01}
WEATHER = ("It rains.", [(3, 8, "WEATHER")])
NEARLY = {"atol": 0.02}
"""What another batch can make of a probability, by bfloat16."""


def frozen_config(hero, **settings):
    model = transformer_config(hero)["model"]
    del model["transformer_config"]
    return {"model": {**model, "@architectures": "spacy-hgn.FrozenTransformer.v1", **settings}}


def make_frozen_nlp(hero, frozen=None, **model):
    """A pipeline of a frozen transformer and hgn_ner. frozen, model: their settings."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=frozen_config(hero, **(frozen or {})))
    nlp.add_pipe("hgn_ner", config={"model": {**HEAD, **model}})
    return nlp


def hero_of(nlp) -> FrozenHero:
    return nlp.get_pipe("transformer").model


def head_of(nlp):
    return shim_of(nlp.get_pipe("hgn_ner").model.get_ref("flat"))._model


@pytest.fixture(scope="session")
def frozen_folder(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen Hero and hgn_ner, trained, on disk."""
    return train_to_disk(make_frozen_nlp(tiny_bert), tmp_path_factory.mktemp("frozen"), **TRAINING)


@pytest.fixture
def frozen_nlp(frozen_folder):
    """The trained pipeline, freshly loaded: tests may change it."""
    return spacy.load(frozen_folder)


def assert_nearly_same(nlp, other, texts=TEXTS):
    for found, expected in zip(probabilities(nlp, texts), probabilities(other, texts)):
        numpy.testing.assert_allclose(found, expected, **NEARLY)


# Training


@pytest.mark.parametrize("make_optimizer", [Adam, AdamW])
@pytest.mark.parametrize(
    "frozen", [{}, {"layers": "last"}, {"layers": [0, 2]}, {"pooling": "mean"}], ids=str
)
def test_it_learns_and_the_hero_does_not(frozen, make_optimizer, tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, frozen)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    before = weights_of(hero_of(nlp))
    losses = keep_training(nlp, examples, make_optimizer(0.01), 60)
    assert losses[-1] < losses[0] / 5
    assert_finds(nlp)
    assert not changed(before, weights_of(hero_of(nlp)))


def test_it_learns_over_a_pretrained_hero(minilm):
    nlp = make_frozen_nlp(minilm)
    train(nlp, steps=40, learn_rate=0.003)
    assert_finds(nlp)


@pytest.mark.parametrize(
    "model", [{"windows": [], "feed_forward": 0}, {"windows": [], "normalize": False}]
)
def test_heads_without_windows_learn(model, tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, **model)
    train(nlp, steps=100, learn_rate=0.02)
    assert_finds(nlp)


def test_the_mix_of_layers_learns(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert)
    train(nlp, steps=0)
    assert head_of(nlp).layers == 3
    assert head_of(nlp).mix.shares.tolist() == pytest.approx([1 / 3] * 3)
    keep_training(nlp, make_examples(nlp), AdamW(0.01), 20)
    assert head_of(nlp).mix.shares.tolist() != pytest.approx([1 / 3] * 3, abs=1e-3)


def test_finish_update_of_its_own(tiny_bert):
    """As under spacy train: batches are added up, and then the step is taken."""
    nlp = make_frozen_nlp(tiny_bert)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    before = weights_of(hero_of(nlp))
    optimizer = AdamW(0.01)
    losses = []
    for _ in range(40):
        step = {}
        for part in (examples[:2], examples[2:]):
            nlp.update(part, sgd=False, losses=step)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        losses.append(step["hgn_ner"])
    assert losses[-1] < losses[0] / 5
    assert_finds(nlp)
    assert not changed(before, weights_of(hero_of(nlp)))


def test_batches_added_up_have_the_gradient_of_one(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, head_dropout=False)
    nlp.initialize(lambda: make_examples(nlp))
    nlp.update(make_examples(nlp), sgd=False)
    whole = step_gradients(nlp)
    for example in make_examples(nlp):
        nlp.update([example], sgd=False)
    parts = step_gradients(nlp)
    assert whole
    assert parts.keys() == whole.keys()
    for name, gradient in whole.items():
        numpy.testing.assert_allclose(parts[name], gradient, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("order", [("hgn_ner", "tagger"), ("tagger", "hgn_ner")])
def test_a_tagger_beside_it_learns_and_the_hero_does_not(order, tiny_bert, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=frozen_config(tiny_bert))
    configs = {
        "hgn_ner": {"model": HEAD},
        "tagger": {"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": LISTENER}},
    }
    for name in order:
        nlp.add_pipe(name, config=configs[name])
    examples = []
    for text, entities in (*DATA, ("", [])):
        doc = nlp.make_doc(text)
        tags = ["UP" if token.is_title else "LOW" for token in doc]
        examples.append(Example.from_dict(doc, {"entities": entities, "tags": tags}))
    nlp.initialize(lambda: examples)
    before = weights_of(hero_of(nlp))
    keep_training(nlp, examples, Adam(0.01), 80)
    assert not changed(before, weights_of(hero_of(nlp)))
    assert_finds(nlp)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_finds(loaded)
    assert [token.tag_ for token in loaded(TEXTS[2])] == ["UP", "LOW", "LOW"]


def test_a_listener_forgets_its_batch(tiny_bert):
    """Or what comes next, such as a rehearsal, would be given other texts' vectors."""
    nlp = make_frozen_nlp(tiny_bert)
    train(nlp, steps=1)
    [listener] = nlp.get_pipe("transformer").listeners
    assert listener._outputs is None
    assert listener._backprop is None


def test_a_frozen_component_that_annotates(frozen_nlp):
    frozen_nlp.get_pipe("hgn_ner").add_label("WEATHER")
    data = [*DATA[:2], WEATHER, DATA[3]]
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    optimizer = frozen_nlp.resume_training(sgd=AdamW(0.01))
    keep_training(frozen_nlp, make_examples(frozen_nlp, data), optimizer, 60, **frozen)
    assert_finds(frozen_nlp, data)


def test_an_updated_pipeline_keeps_as_many_predicted_texts_as_it_learnt_from(frozen_folder):
    nlp = spacy.load(frozen_folder)
    nlp("Nobody")
    assert hero_of(nlp)._kept is None
    nlp.update(make_examples(nlp), sgd=AdamW(0.001))
    kept = hero_of(nlp).kept
    assert len(kept) == len(DATA)
    list(nlp.pipe([f"Nobody {i}" for i in range(3 * len(DATA))]))
    assert len(kept) == 2 * len(DATA)


def test_an_updated_pipeline_reads_its_dev_texts_once(frozen_folder, monkeypatch):
    nlp = spacy.load(frozen_folder)
    read = []
    read_layers = frozen_hero.read_layers
    monkeypatch.setattr(
        frozen_hero, "read_layers", lambda *args: read.append(1) or read_layers(*args)
    )
    for _ in range(3):
        nlp.update(make_examples(nlp), sgd=AdamW(0.001))
        nlp("Nobody")
    assert len(read) == 2  # for the update and for dev


def test_an_updated_pipeline_finds_what_an_earlier_training_kept(tiny_bert, tmp_path, monkeypatch):
    nlp = make_frozen_nlp(tiny_bert, {"kept_in": str(tmp_path / "kept")})
    train(nlp, steps=1)
    nlp("Nobody")
    nlp.to_disk(tmp_path / "nlp")
    again = spacy.load(tmp_path / "nlp")
    monkeypatch.setattr(frozen_hero, "read_layers", None)  # not called any more
    again.update(make_examples(again), sgd=AdamW(0.001))
    again("Nobody")


def test_docs_without_tokens_in_training(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert)
    data = [("", []), *DATA, ("", [])]
    losses = train(nlp, data, **TRAINING)
    assert numpy.isfinite(losses).all()
    assert nlp.update(make_examples(nlp, [("", [])]), sgd=Adam(0.01))["hgn_ner"] == 0
    assert_finds(nlp)


# Later trainings


def test_a_new_label(frozen_nlp):
    frozen_nlp.get_pipe("hgn_ner").add_label("WEATHER")
    data = [*DATA[:2], WEATHER, DATA[3]]
    optimizer = frozen_nlp.resume_training(sgd=AdamW(0.01))
    keep_training(frozen_nlp, make_examples(frozen_nlp, data), optimizer, 60)
    assert_finds(frozen_nlp, data)


@pytest.mark.parametrize("is_inside", [True, False])
def test_rehearsal(is_inside, frozen_nlp):
    if is_inside:
        frozen_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
        frozen_nlp.remove_pipe("transformer")
    optimizer = frozen_nlp.resume_training(sgd=Adam(0.003))
    before = probabilities(frozen_nlp)
    others = [("It rains.", [(0, 2, "PERSON")])]
    keep_training(frozen_nlp, make_examples(frozen_nlp, others), optimizer, 30)

    def distance():
        return max(abs(a - b).max() for a, b in zip(before, probabilities(frozen_nlp)))

    drifted = distance()
    assert drifted > 0.3
    examples = []
    for text in TEXTS:
        doc = frozen_nlp.make_doc(text)
        if not is_inside:
            doc = frozen_nlp.get_pipe("transformer")(doc)
        examples.append(Example(doc, frozen_nlp.make_doc(text)))
    losses = [frozen_nlp.rehearse(examples, sgd=optimizer)["hgn_ner"] for _ in range(40)]
    assert losses[-1] < losses[0] / 2
    assert distance() < drifted / 2


# Files, processes, copies


def test_round_trips(frozen_folder, frozen_nlp, tmp_path):
    frozen_nlp.to_disk(tmp_path)
    for other in (
        spacy.load(tmp_path),
        spacy.blank("xx").from_config(frozen_nlp.config).from_bytes(frozen_nlp.to_bytes()),
    ):
        assert other.config.to_str() == frozen_nlp.config.to_str()
        assert_same(probabilities(other), probabilities(frozen_nlp))
        assert_finds(other)
    first, second = (
        {path.name: path.read_bytes() for path in (folder / "hgn_ner").iterdir()}
        for folder in (frozen_folder, tmp_path)
    )
    assert first == second


def test_an_untrained_pipeline_round_trips(tiny_bert, tmp_path):
    nlp = make_frozen_nlp(tiny_bert)
    train(nlp, steps=0)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert head_of(loaded).layers == 3
    keep_training(loaded, make_examples(loaded), loaded.resume_training(sgd=AdamW(0.01)), 60)
    assert_finds(loaded)


def test_texts_alone_and_in_batches(frozen_nlp):
    together = probabilities(frozen_nlp, MIXED)
    alone = [probabilities(frozen_nlp, [text])[0] for text in MIXED]
    for found, expected in zip(together, alone, strict=True):
        numpy.testing.assert_allclose(found, expected, **NEARLY)


def test_two_processes(frozen_nlp):
    expected = [entities_of(doc) for doc in frozen_nlp.pipe(TEXTS * 4)]
    found = [entities_of(doc) for doc in frozen_nlp.pipe(TEXTS * 4, n_process=2, batch_size=3)]
    assert found == expected


def test_replaced_listeners(frozen_nlp, tmp_path):
    expected = probabilities(frozen_nlp)
    shared = hero_of(frozen_nlp)
    frozen_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    frozen_nlp.remove_pipe("transformer")
    tok2vec = frozen_nlp.get_pipe_config("hgn_ner")["model"]["tok2vec"]
    assert tok2vec["@architectures"] == STANDALONE
    assert tok2vec["hero"]["layers"] == "all"
    for found, array in zip(probabilities(frozen_nlp), expected, strict=True):
        numpy.testing.assert_allclose(found, array, **NEARLY)
    frozen_nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.config.to_str() == frozen_nlp.config.to_str()
    assert_same(probabilities(loaded), probabilities(frozen_nlp))
    ner = loaded.get_pipe("hgn_ner")
    [hero] = [node for node in ner.model.walk() if isinstance(node, FrozenHero)]
    assert hero is not shared
    before = weights_of(hero)
    data = [*DATA[:2], ("It rains.", [(0, 2, "GPE")]), DATA[3]]
    keep_training(loaded, make_examples(loaded, data), AdamW(0.01), 60)
    assert_finds(loaded, data)
    assert not changed(before, weights_of(hero))


def test_a_frozen_hero_inside_from_the_config(tiny_bert, tmp_path):
    hero = frozen_config(tiny_bert)["model"]
    tok2vec = {"@architectures": STANDALONE, "hero": hero, "pooling": LISTENER["pooling"]}
    nlp = spacy.blank("xx")
    nlp.add_pipe("hgn_ner", config={"model": {**HEAD, "tok2vec": tok2vec}})
    train(nlp, steps=0)
    assert head_of(nlp).layers == 3
    keep_training(nlp, make_examples(nlp), AdamW(0.01), 60)
    assert_finds(nlp)
    nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path))


def test_other_components_read_a_mix_as_their_tok2vec(tiny_bert):
    """The Tok2Vec of hero and gang, for a tagger."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=frozen_config(tiny_bert))
    tok2vec = {
        "@architectures": "spacy-hgn.HeroGangTok2Vec.v1",
        "tok2vec": LISTENER,
        "windows": [3],
        "normalize": True,
    }
    model = {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}
    nlp.add_pipe("tagger", config={"model": model})
    examples = []
    for text in TEXTS:
        doc = nlp.make_doc(text)
        tags = ["UP" if token.is_title else "LOW" for token in doc]
        examples.append(Example.from_dict(doc, {"tags": tags}))
    nlp.initialize(lambda: examples)
    optimizer = AdamW(0.01)
    for _ in range(40):
        nlp.update(examples, sgd=optimizer)
    assert [token.tag_ for token in nlp(TEXTS[2])] == ["UP", "LOW", "LOW"]
    loaded = spacy.blank("xx").from_config(nlp.config).from_bytes(nlp.to_bytes())
    assert [token.tag_ for token in loaded(TEXTS[2])] == ["UP", "LOW", "LOW"]


def test_a_pipeline_whose_hero_another_one_took_still_predicts(frozen_nlp):
    expected = [entities_of(doc) for doc in frozen_nlp.pipe(TEXTS)]
    spacy.blank("xx").add_pipe("transformer", source=frozen_nlp)
    assert [entities_of(doc) for doc in frozen_nlp.pipe(TEXTS)] == expected


def test_a_tok2vec_is_read_beside_it(tiny_bert):
    both = {
        "@layers": "concatenate.v1",
        "*": {
            "hero": LISTENER,
            "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": 96, "upstream": "*"},
        },
    }
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=frozen_config(tiny_bert, layers="last"))
    nlp.add_pipe("tok2vec")
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [3], "tok2vec": both}})
    train(nlp, **TRAINING)
    assert_finds(nlp)


# Committees


def test_a_committee_learns_and_is_stored(tiny_bert, tmp_path):
    nlp = make_frozen_nlp(tiny_bert, members=3)
    losses = train(nlp, **TRAINING)
    assert losses[-1] < losses[0] / 5
    assert_finds(nlp)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_same(probabilities(loaded), probabilities(loaded))
    assert_finds(loaded)
    assert len(head_of(loaded).heads) == 3


def test_a_committees_loss_is_the_mean_of_its_members(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, members=3, head_dropout=False)
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    alone = []
    heads = head_of(nlp).heads
    state = [{k: v.clone() for k, v in head.state_dict().items()} for head in heads]
    for member in state:
        for head in heads:
            head.load_state_dict(member)
        alone.append(nlp.update(examples, sgd=False)["hgn_ner"])
        step_gradients(nlp)
    for head, member in zip(heads, state):
        head.load_state_dict(member)
    assert len({round(loss, 4) for loss in alone}) == 3
    assert nlp.update(examples, sgd=False)["hgn_ner"] == pytest.approx(numpy.mean(alone), abs=1e-4)


def test_a_committee_gets_a_new_label_and_rehearses(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, members=2)
    train(nlp, **TRAINING)
    optimizer = nlp.resume_training(sgd=AdamW(0.01))
    nlp.get_pipe("hgn_ner").add_label("WEATHER")
    data = [*DATA[:2], WEATHER, DATA[3]]
    keep_training(nlp, make_examples(nlp, data), optimizer, 60)
    assert_finds(nlp, data)
    docs = [nlp.get_pipe("transformer")(nlp.make_doc(text)) for text in TEXTS]
    examples = [Example(doc, doc) for doc in docs]
    losses = [nlp.rehearse(examples, sgd=optimizer)["hgn_ner"] for _ in range(5)]
    assert numpy.isfinite(losses).all()


def test_a_committee_over_a_trained_hero(tiny_bert):
    """Its members teach the Hero together."""
    nlp = make_hero_nlp(tiny_bert, members=2)
    nlp.initialize(lambda: make_examples(nlp))
    before = weights_of(nlp.get_pipe("transformer").model)
    keep_training(nlp, make_examples(nlp), Adam(0.003), 60, drop=0.0)
    assert_finds(nlp)
    assert changed(before, weights_of(nlp.get_pipe("transformer").model))


def test_what_can_not_be_learnt_is_noted_once(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, members=3)
    train(nlp, steps=0)
    doc = nlp.make_doc("It rains.")
    example = Example.from_dict(doc, {"entities": [(0, 1, "GPE"), (3, 8, "UNKNOWN")]})
    nlp.update([example], sgd=False)
    assert len(nlp.get_pipe("hgn_ner").unlearnable) <= 2


# Precision


def test_bfloat16_heads_learn(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, {"precision": "bfloat16"}, precision="bfloat16")
    train(nlp, **TRAINING)
    assert_finds(nlp)


# Refusals


def test_docs_with_the_last_layer_alone_are_refused(frozen_nlp):
    docs = list(frozen_nlp.pipe(TEXTS, disable=["hgn_ner"]))
    stored = DocBin(store_user_data=True, docs=docs).to_bytes()
    loaded = list(DocBin(store_user_data=True).from_bytes(stored).get_docs(frozen_nlp.vocab))
    with pytest.raises(ValueError, match=r"spacy-hgn.FrozenTransformer.v1"):
        frozen_nlp.get_pipe("hgn_ner").predict(loaded)


def test_a_plain_transformer_in_the_frozen_ones_place_is_refused(frozen_nlp, tiny_bert):
    other = make_hero_nlp(tiny_bert)
    other.initialize(lambda: make_examples(other))
    docs = list(other.pipe(TEXTS, disable=["hgn_ner"]))
    with pytest.raises(ValueError, match=r"spacy-hgn.FrozenTransformer.v1"):
        frozen_nlp.get_pipe("hgn_ner").predict(docs)


def test_a_head_of_a_plain_transformer_refuses_several_layers(tiny_nlp, frozen_nlp):
    docs = list(frozen_nlp.pipe(TEXTS, disable=["hgn_ner"]))
    ner = tiny_nlp.get_pipe("hgn_ner")
    with pytest.raises(ValueError, match="was trained with another Transformer"):
        ner.predict(docs)
    ner.trained_with = None  # as stored by earlier releases
    with pytest.raises(ValueError, match=r"was trained on 1 layer\(s\) of its Hero, but reads 3"):
        ner.predict(docs)


@pytest.mark.parametrize("frozen", [{"layers": "last"}, {"layers": [0, 2]}, {"pooling": "mean"}])
def test_a_frozen_hero_of_other_settings_is_refused(frozen, frozen_nlp, tiny_bert):
    other = make_frozen_nlp(tiny_bert, frozen)
    train(other, steps=0)
    docs = list(other.pipe(TEXTS, disable=["hgn_ner"]))
    with pytest.raises(ValueError, match=r"trained (on|over)"):
        frozen_nlp.get_pipe("hgn_ner").predict(docs)


def test_edges_are_refused(tiny_bert):
    nlp = make_frozen_nlp(tiny_bert, edges=True)
    with pytest.raises(ValueError, match=r"edges = true: spacy-hgn.FrozenTransformer.v1"):
        train(nlp, steps=1)
