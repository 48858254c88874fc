"""A trained pipeline learns more: new labels, rehearsal, and what stays as it was."""

import shutil

import numpy
import pytest
import spacy
from spacy.lang.en import English
from spacy.training import Example
from spacy.util import load_config
from thinc.api import Adam

from spacy_hgn.backend.optimizer import AdamW

from .helpers import (
    DATA,
    TEXTS,
    assert_finds,
    assert_same,
    changed,
    entities_of,
    gradients_of,
    keep_training,
    make_examples,
    probabilities,
    weights_of,
)

WEATHER = ("It rains.", [(3, 8, "WEATHER")])
OTHERS = [("Tim Cook runs Apple from Cupertino.", []), ("It rains.", [(0, 2, "PERSON")])]
"""What contradicts the pipeline's own training."""


@pytest.fixture
def whole_nlp(tiny_nlp):
    """A trained pipeline with the Hero inside of hgn_ner."""
    tiny_nlp.replace_listeners("transformer", "hgn_ner", ["model.tok2vec"])
    tiny_nlp.remove_pipe("transformer")
    return tiny_nlp


def raw(nlp, texts=TEXTS):
    """Examples without gold."""
    return [Example(nlp.make_doc(text), nlp.make_doc(text)) for text in texts]


def distance(nlp, before):
    """How far the predictions are from what they were, over the tags of then."""
    now = probabilities(nlp)
    return max(abs(new[:, : old.shape[1]] - old).max() for old, new in zip(before, now))


# Rehearsal


def test_rehearsal_before_any_update_has_nothing_to_do(nlp):
    nlp.resume_training()
    before = probabilities(nlp)
    losses = nlp.rehearse(raw(nlp), sgd=Adam(0.01))
    assert losses["hgn_ner"] == pytest.approx(0, abs=1e-4)
    assert distance(nlp, before) < 0.01


def test_rehearsal_without_resume_training_does_nothing(nlp):
    before = weights_of(nlp.get_pipe("hgn_ner").model)
    assert nlp.rehearse(raw(nlp), sgd=Adam(0.01)) == {"hgn_ner": 0.0}
    assert not changed(before, weights_of(nlp.get_pipe("hgn_ner").model))


@pytest.mark.parametrize("make_optimizer", [Adam, AdamW])
@pytest.mark.parametrize("fixture", ["nlp", "whole_nlp"])
def test_rehearsal_pulls_predictions_back(fixture, make_optimizer, request):
    nlp = request.getfixturevalue(fixture)
    optimizer = nlp.resume_training(sgd=make_optimizer(0.003))
    before = probabilities(nlp)
    keep_training(nlp, make_examples(nlp, OTHERS), optimizer, 20)
    drifted = distance(nlp, before)
    assert drifted > 0.5
    losses = [nlp.rehearse(raw(nlp), sgd=optimizer)["hgn_ner"] for _ in range(30)]
    assert losses[-1] < losses[0] / 2
    assert distance(nlp, before) < drifted / 2


def test_rehearsal_reaches_the_hero_inside_of_the_component(whole_nlp):
    optimizer = whole_nlp.resume_training(sgd=Adam(0.003))
    keep_training(whole_nlp, make_examples(whole_nlp, OTHERS), optimizer, 5)
    model = whole_nlp.get_pipe("hgn_ner").model
    before = weights_of(model)
    whole_nlp.rehearse(raw(whole_nlp), sgd=optimizer)
    after = changed(before, weights_of(model))
    assert any("encoder.layer" in name for name in after)
    assert any("classifier" in name for name in after)


def test_rehearsal_keeps_to_the_learning_rate_of_the_hero(whole_nlp):
    optimizer = whole_nlp.resume_training(sgd=AdamW(0.003, 0.0, weight_decay=0.0))
    keep_training(whole_nlp, make_examples(whole_nlp, OTHERS), optimizer, 5)
    model = whole_nlp.get_pipe("hgn_ner").model
    before = weights_of(model)
    whole_nlp.rehearse(raw(whole_nlp), sgd=optimizer)
    after = changed(before, weights_of(model))
    assert after
    assert not any("encoder.layer" in name for name in after)


def test_the_teacher_stays_as_it_was(whole_nlp):
    ner = whole_nlp.get_pipe("hgn_ner")
    optimizer = whole_nlp.resume_training(sgd=AdamW(0.003))
    before = weights_of(ner._rehearsal_model)
    keep_training(whole_nlp, make_examples(whole_nlp, OTHERS), optimizer, 3)
    whole_nlp.rehearse(raw(whole_nlp), sgd=optimizer)
    assert not changed(before, weights_of(ner._rehearsal_model))
    assert changed(before, weights_of(ner.model))


def test_rehearsal_without_optimizer_leaves_the_step_to_the_caller(nlp):
    ner = nlp.get_pipe("hgn_ner")
    optimizer = nlp.resume_training(sgd=Adam(0.01))
    keep_training(nlp, make_examples(nlp, OTHERS), optimizer, 5)
    before = weights_of(ner.model)
    losses = ner.rehearse(raw(nlp))
    assert losses["hgn_ner"] > 0
    assert not changed(before, weights_of(ner.model))
    ner.finish_update(optimizer)
    assert changed(before, weights_of(ner.model))


def test_rehearsal_leaves_no_gradient_behind(nlp):
    optimizer = nlp.resume_training(sgd=Adam(0.01))
    keep_training(nlp, make_examples(nlp, OTHERS), optimizer, 5)
    nlp.rehearse(raw(nlp), sgd=optimizer)
    left = gradients_of(nlp.get_pipe("hgn_ner").model)
    assert not any(array.any() for array in left.values())


def test_empty_docs_in_rehearsal(nlp):
    optimizer = nlp.resume_training(sgd=Adam(0.01))
    assert nlp.rehearse(raw(nlp, [""]), sgd=optimizer) == {"hgn_ner": 0.0}
    assert numpy.isfinite(nlp.rehearse(raw(nlp, ["", TEXTS[0], ""]), sgd=optimizer)["hgn_ner"])


def test_a_pipeline_with_a_teacher_is_stored_without_it(nlp, tmp_path):
    nlp.resume_training()
    nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.get_pipe("hgn_ner")._rehearsal_model is None
    assert_same(probabilities(loaded), probabilities(nlp))


# Over a Transformer that is a component of its own


def test_rehearsal_over_a_listener_wants_the_vectors_on_the_docs(tiny_nlp):
    tiny_nlp.resume_training()
    with pytest.raises(ValueError, match="reads the vectors of the component"):
        tiny_nlp.rehearse(raw(tiny_nlp), exclude=["transformer"])


def test_rehearsal_over_a_listener_trains_the_head_alone(tiny_nlp):
    hero, ner = tiny_nlp.get_pipe("transformer"), tiny_nlp.get_pipe("hgn_ner")
    optimizer = tiny_nlp.resume_training(sgd=AdamW(0.003))
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    before = probabilities(tiny_nlp)
    keep_training(tiny_nlp, make_examples(tiny_nlp, OTHERS), optimizer, 20, **frozen)
    drifted = distance(tiny_nlp, before)
    of_hero, of_head = weights_of(hero.model), weights_of(ner.model)
    for _ in range(30):
        examples = raw(tiny_nlp)
        for example in examples:
            hero(example.predicted)
        tiny_nlp.rehearse(examples, sgd=optimizer, exclude=["transformer"])
    assert not changed(of_hero, weights_of(hero.model))
    assert changed(of_head, weights_of(ner.model))
    assert distance(tiny_nlp, before) < drifted / 2


# New labels


@pytest.mark.parametrize("label_first", [True, False])
def test_a_new_label_with_rehearsal_leaves_the_old_ones(nlp, label_first):
    ner = nlp.get_pipe("hgn_ner")
    if label_first:
        ner.add_label("WEATHER")
    optimizer = nlp.resume_training(sgd=Adam(0.003))
    ner.add_label("WEATHER")
    for _ in range(30):
        nlp.update(make_examples(nlp, [WEATHER]), sgd=optimizer)
        nlp.rehearse(raw(nlp), sgd=optimizer)
    assert_finds(nlp, [*DATA[:2], WEATHER, DATA[3]])


def test_rehearsal_leaves_a_new_label_where_there_was_nothing(nlp):
    ner = nlp.get_pipe("hgn_ner")
    optimizer = nlp.resume_training(sgd=Adam(0.003))
    ner.add_label("WEATHER")
    keep_training(nlp, make_examples(nlp, [WEATHER]), optimizer, 30)
    assert entities_of(nlp(WEATHER[0])) == WEATHER[1]
    for _ in range(30):
        nlp.rehearse(raw(nlp), sgd=optimizer)
    assert entities_of(nlp(WEATHER[0])) == WEATHER[1]


@pytest.mark.parametrize("make_optimizer", [Adam, AdamW])
def test_an_optimizer_goes_on_with_the_rows_of_a_new_label(tiny_nlp, make_optimizer):
    optimizer = tiny_nlp.resume_training(sgd=make_optimizer(0.003))
    keep_training(tiny_nlp, make_examples(tiny_nlp), optimizer, 3)
    tiny_nlp.get_pipe("hgn_ner").add_label("WEATHER")
    data = [*DATA[:2], WEATHER, DATA[3]]
    keep_training(tiny_nlp, make_examples(tiny_nlp, data), optimizer, 40)
    assert_finds(tiny_nlp, data)


def test_a_new_label_over_a_frozen_hero(tiny_nlp):
    hero = tiny_nlp.get_pipe("transformer").model
    before = weights_of(hero)
    tiny_nlp.get_pipe("hgn_ner").add_label("WEATHER")
    data = [*DATA[:2], WEATHER, DATA[3]]
    frozen = {"exclude": ["transformer"], "annotates": ["transformer"]}
    optimizer = tiny_nlp.resume_training(sgd=AdamW(0.01))
    keep_training(tiny_nlp, make_examples(tiny_nlp, data), optimizer, 60, **frozen)
    assert_finds(tiny_nlp, data)
    assert not changed(before, weights_of(hero))


def test_a_component_sourced_from_a_folder_learns_more(cnn_folder):
    config = {"nlp": {"lang": "xx", "pipeline": ["names"]}}
    config["components"] = {"names": {"source": str(cnn_folder), "component": "hgn_ner"}}
    nlp = spacy.blank("xx").from_config(config)
    nlp.get_pipe("names").add_label("WEATHER")
    data = [*DATA[:2], WEATHER, DATA[3]]
    optimizer = nlp.resume_training(sgd=Adam(0.01))
    for _ in range(30):
        nlp.update(make_examples(nlp, data), sgd=optimizer)
    assert_finds(nlp, data)
    assert_finds(spacy.load(cnn_folder))


def test_resume_training_makes_the_optimizer_of_the_config(nlp):
    nlp.config["training"]["optimizer"] = {
        "@optimizers": "spacy-hgn.AdamW.v1",
        "learn_rate": 0.01,
    }
    optimizer = nlp.resume_training()
    assert isinstance(optimizer, AdamW)
    losses = keep_training(nlp, make_examples(nlp, [WEATHER, *OTHERS]), optimizer, 20)
    assert losses[-1] < losses[0]


RATE = {
    "@schedules": "warmup_linear.v1",
    "warmup_steps": 2,
    "total_steps": "${training.max_steps}",
    "initial_rate": "${vars.rate}",
}
"""As in our configs."""


@pytest.fixture
def own_folder(cnn_folder, tmp_path):
    """The trained pipeline under a config whose optimizer refers to other sections."""
    folder = shutil.copytree(cnn_folder, tmp_path / "own")
    config = load_config(folder / "config.cfg")
    config["vars"] = {"rate": 0.01}
    config["training"]["max_steps"] = 40
    config["training"]["optimizer"] = {"@optimizers": "spacy-hgn.AdamW.v1", "learn_rate": RATE}
    config.to_disk(folder / "config.cfg")
    return folder


def test_the_optimizer_of_the_config_may_refer_to_other_sections(own_folder, tmp_path):
    spacy.load(own_folder).to_disk(tmp_path)
    nlp = spacy.load(tmp_path, config={"vars": {"rate": 0.02}})
    optimizer = nlp.resume_training()
    assert isinstance(optimizer, AdamW)
    rates = []
    for _ in range(4):
        rates.append(optimizer.learn_rate)
        optimizer.step_schedules()
    assert rates == pytest.approx([0, 0.01, 0.02, 0.02 * 37 / 38])
    assert nlp.config["training"]["optimizer"]["learn_rate"]["initial_rate"] == "${vars.rate}"


def test_initialize_takes_the_optimizer_of_the_config(own_folder):
    nlp = spacy.load(own_folder)
    assert isinstance(nlp.initialize(lambda: make_examples(nlp)), AdamW)


def test_a_schedule_that_begins_at_zero_is_warned_of_and_teaches_when_advanced(own_folder, caplog):
    nlp = spacy.load(own_folder)
    optimizer = nlp.resume_training()
    assert "step_schedules" in caplog.text
    losses = []
    for _ in range(20):
        losses.append(nlp.update(make_examples(nlp, OTHERS), sgd=optimizer)["hgn_ner"])
        optimizer.step_schedules()
    assert losses[-1] < losses[0] / 4


def test_a_constant_learning_rate_is_not_warned_of(nlp, caplog):
    nlp.resume_training()
    assert not caplog.records


def test_a_pipelines_own_way_to_make_an_optimizer_is_kept():
    class Own(English):
        def create_optimizer(self):
            return Adam(0.5)

    nlp = Own()
    nlp.add_pipe("hgn_ner")
    assert nlp.resume_training().learn_rate == 0.5
