"""Training: what is learnt survives storage, and gradients go where they should."""

import pickle
from itertools import product
from typing import Any

import numpy
import pytest
import spacy
import torch
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, Optimizer, fix_random_seed

from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.fusion import FUSIONS
from spacy_hgn.gang.gang import RECURRENCES
from spacy_hgn.tagger.flat import shim_of

from .helpers import (
    CNN,
    DATA,
    LISTENER,
    TEXTS,
    assert_finds,
    assert_same,
    changed,
    gradients_of,
    keep_training,
    make_examples,
    make_hero_nlp,
    make_nlp,
    probabilities,
    step_gradients,
    train,
    weights_of,
)


def tokens_of(examples: list[Example]) -> list[int]:
    """How many tokens each of them has."""
    return [len(example.predicted) for example in examples]


@pytest.mark.parametrize(("recurrence", "fusion"), list(product(RECURRENCES, FUSIONS)))
def test_overfits_and_round_trips(recurrence, fusion, tmp_path):
    model = {"recurrence": recurrence, "fusion": fusion}
    nlp = make_nlp(model)
    losses = train(nlp)
    assert losses[-1] < losses[0] / 100
    assert_finds(nlp)
    nlp.to_disk(tmp_path)
    from_disk = spacy.load(tmp_path)
    assert_finds(from_disk)
    from_bytes = make_nlp(model).from_bytes(nlp.to_bytes())
    for loaded in (from_disk, from_bytes):
        assert_same(probabilities(loaded), probabilities(nlp))


@pytest.mark.parametrize("windows", [[], [1], [5, 7, 9]])
def test_any_windows_round_trip(windows, tmp_path):
    nlp = make_nlp({"windows": windows})
    train(nlp)
    nlp.to_disk(tmp_path)
    assert_finds(spacy.load(tmp_path))


@pytest.mark.parametrize("tag_scheme", ["bio", "biluo"])
@pytest.mark.parametrize("decoder", ["viterbi", "argmax"])
def test_any_tag_scheme_and_decoder_round_trip(tag_scheme, decoder, tmp_path):
    nlp = make_nlp(tag_scheme=tag_scheme, decoder=decoder)
    train(nlp)
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_finds(loaded)
    assert loaded.get_pipe("hgn_ner").decoder == decoder
    assert probabilities(loaded)[0].shape == (7, 1 + 3 * {"bio": 2, "biluo": 4}[tag_scheme])


@pytest.mark.slow
def test_pretrained_hero_overfits_and_round_trips(minilm_folder):
    nlp = spacy.load(minilm_folder)
    assert_finds(nlp)
    assert_finds(spacy.blank("xx").from_config(nlp.config).from_bytes(nlp.to_bytes()))


def test_pipelines_are_stored_without_pickle(tiny_nlp, tmp_path, monkeypatch):
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("pickled")

    for module, name in [
        (pickle, "dumps"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (torch, "save"),
        (torch, "load"),
    ]:
        monkeypatch.setattr(module, name, refuse)
    tiny_nlp.to_disk(tmp_path)
    assert_same(probabilities(spacy.load(tmp_path)), probabilities(tiny_nlp))


def test_the_same_seed_gives_the_same_model(cnn_nlp):
    nlp = make_nlp()
    train(nlp)
    assert_same(probabilities(nlp), probabilities(cnn_nlp))


def test_losses_stand_under_the_name_of_the_component():
    nlp = make_nlp()
    nlp.rename_pipe("hgn_ner", "names")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    losses = nlp.update(examples)
    assert list(losses) == ["names"]
    assert losses["names"] > 0


def test_losses_of_a_batch_are_those_of_its_texts():
    nlp = make_nlp({"dropout": 0.0})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    together = nlp.update(examples, sgd=Adam(0.0))["hgn_ner"]
    alone = [nlp.update([example], sgd=Adam(0.0))["hgn_ner"] for example in examples]
    assert together == pytest.approx(numpy.average(alone, weights=tokens_of(examples)), rel=1e-4)


def test_a_step_of_eight_copies_is_a_step_of_one(tiny_bert):
    nlp = make_hero_nlp(tiny_bert, dropout=0.0, precision="float32")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    loss = nlp.update(examples[:1], sgd=False)["hgn_ner"]
    once = step_gradients(nlp)
    assert nlp.update(8 * examples[:1], sgd=False)["hgn_ner"] == pytest.approx(loss, rel=1e-5)
    often = step_gradients(nlp)
    assert any("transformer" in name for name in once)
    assert once.keys() == often.keys()
    assert_same(list(often.values()), list(once.values()))


@pytest.mark.parametrize("where", ["listener", "inside", "cnn"])
def test_a_step_in_parts_is_the_mean_over_all_of_its_tokens(tiny_bert, where):
    nlp = make_nlp({"dropout": 0.0, "precision": "float32"})
    if where != "cnn":
        nlp = make_hero_nlp(tiny_bert, dropout=0.0, precision="float32")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    if where == "inside":
        nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
        nlp.remove_pipe("transformer")
    loss = nlp.update(examples, sgd=False)["hgn_ner"]
    at_once = step_gradients(nlp)
    losses = {}
    for part in (examples[:1], examples[1:]):
        nlp.update(part, sgd=False, losses=losses)
    assert losses["hgn_ner"] == pytest.approx(loss, rel=1e-4)
    in_parts = step_gradients(nlp)
    assert at_once.keys() == in_parts.keys()
    assert_same(list(in_parts.values()), list(at_once.values()))


def share_with_tagger(nlp):
    """Have a tagger listen to the same Hero, and initialize the pipeline; returns Examples."""
    nlp.add_pipe("tagger", config={"model": {"tok2vec": LISTENER}})
    examples = make_examples(nlp)
    for example in examples:
        for token in example.reference:
            token.tag_ = "NN" if token.i % 2 else "VB"
    nlp.initialize(lambda: examples)
    return examples


def test_a_shared_hero_learns_the_sum_of_all_losses_a_token(tiny_bert):
    """A tagger's loss is a sum over tokens: beside it, that of hgn_ner weighs as one."""

    def hero_gradients(names, factor=1.0):
        fix_random_seed(0)
        nlp = make_hero_nlp(tiny_bert, dropout=0.0, precision="float32")
        nlp.get_pipe("hgn_ner").loss_factor = factor
        examples = share_with_tagger(nlp)
        for name in {"tagger", "hgn_ner"} - set(names):
            nlp.remove_pipe(name)
        nlp.update(examples, sgd=False)
        found = step_gradients(nlp)
        hero = {name: found[name] for name in found if name.startswith("transformer")}
        return hero, sum(tokens_of(examples))

    ner, tokens = hero_gradients(["hgn_ner"])
    tagger, _ = hero_gradients(["tagger"])
    both, _ = hero_gradients(["hgn_ner", "tagger"], factor=2.0)
    for name, gradient in both.items():
        expected = 2 * ner[name] + tagger[name] / tokens
        numpy.testing.assert_allclose(gradient, expected, atol=1e-5)


def test_beside_others_a_few_known_tags_do_not_swell_what_the_hero_learns(tiny_bert):
    nlp = make_hero_nlp(tiny_bert, dropout=0.0, precision="float32")
    examples = share_with_tagger(nlp)

    def longest(batch):
        nlp.update(batch, sgd=False)
        found = step_gradients(nlp)
        return max(numpy.abs(found[name]).max() for name in found if "transformer" in name)

    usual = longest(examples)
    for example in examples:
        example.reference.set_ents([], default="missing")
    assert longest(examples) < 2 * usual
    assert longest(4 * examples) < 2 * usual


@pytest.mark.parametrize("kind", [Optimizer, AdamW])
def test_two_components_with_a_tok2vec_each_take_means(kind):
    class Watched(kind):
        """Keeps the norms of the arrays' gradients."""

        def __call__(self, key, weights, gradient, **settings):
            seen[key] = numpy.linalg.norm(gradient)
            return super().__call__(key, weights, gradient, **settings)

    nlp = make_nlp({"dropout": 0.0})
    nlp.add_pipe("hgn_ner", name="other", config={"model": {"tok2vec": CNN, "windows": [1]}})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    optimizer = Watched(0.0)
    steps = []
    for batch in (examples, examples, 4 * examples):  # from the second on, AdamW knows both
        seen: dict[Any, float] = {}
        nlp.update(batch, sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        steps.append(seen)
    _, once, often = steps
    assert once.keys() == often.keys()
    assert len(once) > 8
    assert all(often[key] == pytest.approx(once[key], rel=1e-3, abs=1e-6) for key in once)


def test_the_loss_factor_changes_nothing_of_ones_own(tiny_bert):
    def train_once(factor):
        fix_random_seed(0)
        nlp = make_hero_nlp(tiny_bert, dropout=0.0, precision="float32")
        nlp.get_pipe("hgn_ner").loss_factor = factor
        examples = make_examples(nlp)
        nlp.initialize(lambda: examples)
        loss = nlp.update(examples, sgd=False)["hgn_ner"]
        found = step_gradients(nlp)
        own = {name: found[name] for name in found if name.startswith("hgn_ner")}
        return loss, own, {name: found[name] for name in found.keys() - own.keys()}

    loss, own, hero = train_once(1.0)
    told, same, more = train_once(3.0)
    assert told == pytest.approx(loss)
    assert_same(list(same.values()), list(own.values()))
    assert_same([more[name] for name in hero], [3 * hero[name] for name in hero])


def test_a_trained_pipeline_can_be_pickled_whatever_optimizer_trained_it():
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    nlp.update(examples, sgd=AdamW(0.01))
    copied = pickle.loads(pickle.dumps(nlp))
    assert_same(probabilities(copied, TEXTS), probabilities(nlp, TEXTS))


def test_an_abandoned_step_is_forgotten_when_weights_are_loaded():
    nlp = make_nlp({"dropout": 0.0})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    data = nlp.to_bytes()
    nlp.update(examples, sgd=False)
    nlp.from_bytes(data)
    assert shim_of(nlp.get_pipe("hgn_ner").model.get_ref("flat")).step_size.last is None


@pytest.mark.parametrize("make_optimizer", [lambda: Adam(0.1), lambda: AdamW(0.1)])
def test_a_step_of_unknown_tags_alone_moves_nothing(tiny_bert, make_optimizer):
    nlp = make_hero_nlp(tiny_bert, dropout=0.0, precision="float32")
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    optimizer = make_optimizer()

    def step(batch):  # as spaCy's training loop does
        losses = nlp.update(batch, sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
        return losses["hgn_ner"]

    step(examples)  # from here on it has momentum
    before = [weights_of(pipe.model) for _, pipe in nlp.pipeline]
    unknown = Example.from_dict(nlp.make_doc("Nobody said what is in here."), {})
    assert step([unknown]) == 0
    after = [weights_of(pipe.model) for _, pipe in nlp.pipeline]
    assert [changed(*pair) for pair in zip(before, after)] == [set(), set()]
    step(examples)
    assert all(changed(b, weights_of(pipe.model)) for b, (_, pipe) in zip(before, nlp.pipeline))


def test_updating_before_initializing_is_an_error(tiny_bert):
    nlp = make_nlp()
    with pytest.raises(ValueError, match="E109"):
        nlp.update(make_examples(nlp), sgd=Adam(0.1))
    whole = make_hero_nlp(tiny_bert)
    with pytest.raises(ValueError, match=r"Hero .*tiny.* isn't loaded yet.*nlp\.initialize\(\)"):
        whole.update(make_examples(whole), sgd=Adam(0.1))


def test_update_without_optimizer_makes_one():
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    ner = nlp.get_pipe("hgn_ner")
    before = weights_of(ner.model)
    nlp.update(examples, sgd=None)
    assert changed(before, weights_of(ner.model))


def test_update_with_sgd_false_leaves_the_step_to_the_caller():
    nlp = make_nlp()
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    ner = nlp.get_pipe("hgn_ner")
    before = weights_of(ner.model)
    nlp.update(examples, sgd=False)
    assert not changed(before, weights_of(ner.model))
    ner.finish_update(Adam(0.01))
    assert changed(before, weights_of(ner.model))


def test_gradients_of_several_updates_add_up():
    nlp = make_nlp({"dropout": 0.0, "precision": "float32"})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    ner = nlp.get_pipe("hgn_ner")
    nlp.update(examples[:1], sgd=False)
    nlp.update(examples[1:], sgd=False)
    in_parts = gradients_of(ner.model)
    ner.finish_update(Adam(0.0))
    nlp.update(examples, sgd=False)
    at_once = gradients_of(ner.model)
    assert in_parts.keys() == at_once.keys()
    assert_same(list(in_parts.values()), list(at_once.values()))


@pytest.mark.parametrize("factor", [0.0, -1.0])
def test_an_impossible_loss_factor_is_refused(factor):
    with pytest.raises(ValueError, match="loss_factor: expected a number above 0"):
        make_nlp(loss_factor=factor)


def test_drop_of_update_sets_the_dropout_rate():
    nlp = make_nlp({"dropout": 0.25})
    train(nlp, steps=0)
    flat = nlp.get_pipe("hgn_ner").model.get_ref("flat")
    assert flat.attrs["dropout_rate"] == 0.25
    nlp.update(make_examples(nlp), drop=0.5)
    assert flat.attrs["dropout_rate"] == 0.5


def test_the_gradient_reaches_the_hero(tiny_bert):
    nlp = make_hero_nlp(tiny_bert)
    train(nlp, steps=0)
    hero = nlp.get_pipe("transformer").model
    before = weights_of(hero)
    keep_training(nlp, make_examples(nlp), Adam(0.001), 2)
    assert changed(before, weights_of(hero)) == before.keys()


def test_a_frozen_hero_stays_as_it_is(tiny_bert):
    nlp = make_hero_nlp(tiny_bert, windows=[3, 5])
    train(nlp, steps=0)
    before = {name: weights_of(pipe.model) for name, pipe in nlp.pipeline}
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    losses = keep_training(nlp, make_examples(nlp), Adam(0.01), 20, **frozen)
    assert losses[-1] < losses[0] / 2
    after = {name: weights_of(pipe.model) for name, pipe in nlp.pipeline}
    assert not changed(before["transformer"], after["transformer"])
    assert changed(before["hgn_ner"], after["hgn_ner"]) == before["hgn_ner"].keys()


def test_a_frozen_hero_that_does_not_annotate_is_an_error(tiny_bert):
    nlp = make_hero_nlp(tiny_bert)
    train(nlp, steps=0)
    with pytest.raises(ValueError, match="E203"):
        nlp.update(make_examples(nlp), exclude=["transformer"])


@pytest.mark.parametrize("model", [{}, {"windows": []}])
def test_empty_docs_in_training_change_nothing(model):
    nlp = make_nlp({"dropout": 0.0, **model})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    ner = nlp.get_pipe("hgn_ner")
    empty = Example(nlp.make_doc(""), nlp.make_doc(""))
    assert nlp.update([empty], sgd=False) == {"hgn_ner": 0}
    expected = nlp.update(examples, sgd=False)["hgn_ner"]
    gradients = gradients_of(ner.model)
    ner.finish_update(Adam(0.0))
    mixed = [empty, *examples, empty]
    assert nlp.update(mixed, sgd=False)["hgn_ner"] == pytest.approx(expected)
    assert_same(list(gradients_of(ner.model).values()), list(gradients.values()))


def test_empty_docs_in_training_over_a_transformer(tiny_nlp):
    empty = Example(tiny_nlp.make_doc(""), tiny_nlp.make_doc(""))
    mixed = [empty, *make_examples(tiny_nlp), empty]
    losses = keep_training(tiny_nlp, mixed, Adam(0.001), 2)
    assert numpy.isfinite(losses).all()
    keep_training(tiny_nlp, [*mixed[1:], empty], Adam(0.001), 1)


def test_docs_without_annotation_contribute_nothing():
    nlp = make_nlp({"dropout": 0.0})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    ner = nlp.get_pipe("hgn_ner")
    unknown = Example.from_dict(nlp.make_doc("Nobody said what is in here."), {})
    loss = nlp.update(examples, sgd=False)["hgn_ner"]
    gradients = gradients_of(ner.model)
    ner.finish_update(Adam(0.0))
    assert nlp.update([*examples, unknown], sgd=False)["hgn_ner"] == pytest.approx(loss)
    assert_same(list(gradients_of(ner.model).values()), list(gradients.values()))
    ner.finish_update(Adam(0.0))
    assert nlp.update([unknown], sgd=False)["hgn_ner"] == 0
    assert not any(array.any() for array in gradients_of(ner.model).values())


def test_tokens_without_annotation_get_no_gradient(cnn_nlp):
    ner = cnn_nlp.get_pipe("hgn_ner")
    words = ["Tim", "Cook", "runs", "Apple", "."]
    tags = ["B-PERSON", "L-PERSON", "-", "-", "O"]
    partial = Example.from_dict(Doc(cnn_nlp.vocab, words=words), {"entities": tags})
    scores = [numpy.full((5, 7), 1 / 7, dtype="float32")]
    loss, (gradient,) = ner.get_loss([partial], scores)
    assert loss == pytest.approx(numpy.log(7), rel=1e-5)  # the mean of three
    assert not gradient[2:4].any()
    assert all(gradient[i].any() for i in (0, 1, 4))
    numpy.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-6)


def test_entities_of_unknown_labels_get_no_gradient(cnn_nlp):
    ner = cnn_nlp.get_pipe("hgn_ner")
    (example,) = make_examples(cnn_nlp, [("Apple is sweet.", [(0, 5, "FRUIT")])])
    _, (gradient,) = ner.get_loss([example], [numpy.full((4, 7), 1 / 7, dtype="float32")])
    assert not gradient[0].any()
    assert gradient[1:].any(axis=1).all()


def test_partial_annotation_teaches_what_it_says():
    nlp = make_nlp()
    words = ["Tim", "Cook", "runs", "Apple", "."]
    tags = ["B-PERSON", "L-PERSON", "O", "-", "O"]
    example = Example.from_dict(Doc(nlp.vocab, words=words), {"entities": tags})
    nlp.initialize(lambda: [example])
    keep_training(nlp, [example], Adam(0.01), 30)
    doc = nlp(Doc(nlp.vocab, words=words))
    assert ("Tim Cook", "PERSON") in [(ent.text, ent.label_) for ent in doc.ents]


def test_a_loss_that_is_no_number_is_an_error(cnn_nlp):
    ner = cnn_nlp.get_pipe("hgn_ner")
    (example,) = make_examples(cnn_nlp, DATA[:1])
    with pytest.raises(ValueError, match="E910"):
        ner.get_loss([example], [numpy.full((7, 7), numpy.nan, dtype="float32")])


def test_training_goes_on_after_loading(cnn_folder):
    nlp = spacy.load(cnn_folder)
    data = [*DATA, ("Marie Curie won.", [(0, 11, "PERSON")])]
    keep_training(nlp, make_examples(nlp, data), nlp.resume_training(), 30)
    assert_finds(nlp, data)


def test_a_copy_of_the_model_predicts_the_same(tiny_nlp):
    docs = list(tiny_nlp.pipe(TEXTS))
    model = tiny_nlp.get_pipe("hgn_ner").model
    assert_same(model.copy().predict(docs), model.predict(docs))


def test_a_copy_of_the_model_has_weights_of_its_own(cnn_nlp):
    docs = [cnn_nlp.make_doc(text) for text in TEXTS]
    model = cnn_nlp.get_pipe("hgn_ner").model
    before = weights_of(model)
    copied = model.copy()
    scores, backprop = copied.begin_update(docs)
    backprop([numpy.ones_like(array) for array in scores])
    copied.finish_update(Adam(0.1))
    assert changed(before, weights_of(copied))
    assert not changed(before, weights_of(model))
