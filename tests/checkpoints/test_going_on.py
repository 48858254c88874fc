"""Whatever a run is made of, it goes on to the same weights and scores."""

import shutil

import numpy
import pytest
import spacy
from interruption import Killed
from spacy.language import Language
from thinc.api import Config, fix_random_seed

from .helpers import CHECKPOINTS, cnn_config, ending_in, hero_config, table, train

pytestmark = pytest.mark.slow

ADAM = {"@optimizers": "Adam.v1", "learn_rate": 0.01}
GROWING = {"@schedules": "compounding.v1", "start": 2, "stop": 6, "compound": 1.3}
LOWER_CASE = {"@augmenters": "spacy.lower_case.v1", "level": 0.5}

VARIANTS = {
    "accumulated gradients of batches that grow": {
        "training.accumulate_gradient": 2,
        "training.batcher.size": GROWING,
    },
    "few epochs without a seed": {
        "training.max_epochs": 4,
        "training.max_steps": 0,
        "training.seed": None,
    },
    "a stream, changed at random": {
        "training.max_epochs": -1,
        "corpora.train.augmenter": LOWER_CASE,
        "initialize.components": {"hgn_ner": {"labels": ["GPE", "PERSON"]}},
    },
    "Thinc's Adam, averages and all": {"training.optimizer": ADAM},
    "Thinc's RAdam, until patience ends": {
        "training.optimizer": {**ADAM, "@optimizers": "RAdam.v1"},
        "training.patience": 4,
        "training.max_steps": 0,
    },
    "checkpoints between evaluations, told by a logger of one's own": {
        "training.logger.frequency": 3,
        "training.logger.logger": {"@loggers": "spacy.ConsoleLogger.v1"},
    },
}

QUICK = ["Thinc's Adam, averages and all"]


def assert_goes_on(config: Config) -> None:
    """A run that is stopped in its eighth update goes on and ends as one that isn't."""
    fix_random_seed(5)
    whole, expected = train(elsewhere(config))
    fix_random_seed(5)
    with ending_in("recording.Recording.update", 8), pytest.raises(Killed):
        train(config)
    fix_random_seed(6)  # another process has other random numbers
    nlp, printed = train(config)
    assert "Resuming after step" in printed
    assert table(printed) == table(expected)
    assert_same_weights(nlp, whole)
    assert nlp.meta["performance"] == whole.meta["performance"]


def test_goes_on_with_a_hero(tiny_bert, folder):
    assert_goes_on(hero_config(tiny_bert))


@pytest.mark.parametrize(
    "variant",
    [each if each in QUICK else pytest.param(each, marks=pytest.mark.long) for each in VARIANTS],
)
def test_goes_on(variant, folder):
    assert_goes_on(cnn_config(**VARIANTS[variant]))


@pytest.mark.long
def test_goes_on_beside_a_frozen_component(folder, small_config):
    train(small_config, output=folder / "trained")
    shutil.rmtree(CHECKPOINTS)
    config = cnn_config(**{"training.frozen_components": ["tagger"]})
    config["components"]["tagger"] = {"source": str(folder / "trained" / "model-last")}
    assert_goes_on(config)


def elsewhere(config: Config) -> Config:
    config = config.copy()
    config["training"]["logger"]["path"] = "elsewhere"
    return config


def assert_same_weights(nlp: Language, other: Language) -> None:
    for name, pipe in nlp.pipeline:
        if hasattr(pipe, "model"):
            assert pipe.model.to_bytes() == other.get_pipe(name).model.to_bytes(), name


def test_more_steps_for_a_training_that_has_ended(folder, small_config):
    longer = cnn_config(**{"training.max_steps": 20})
    rates = {"learn_rate": 0.01, "hero_learn_rate": 0.01}
    for config in (small_config, longer):
        config["training"]["optimizer"].update(rates)
    fix_random_seed(5)
    whole, expected = train(elsewhere(longer))
    fix_random_seed(5)
    train(small_config)
    nlp, printed = train(longer)
    assert "Resuming after step 12" in printed
    assert table(printed) == table(expected)
    assert_same_weights(nlp, whole)


def test_changes_nothing_for_a_run_that_is_not_killed(folder, small_config):
    plain = small_config.copy()
    plain["training"]["logger"] = {"@loggers": "spacy-hgn.ConsoleLogger.v1"}
    expected, expected_table = train(plain)
    nlp, printed = train(small_config)
    assert table(printed) == table(expected_table)
    assert_same_weights(nlp, expected)


def test_leaves_the_pipeline_as_it_was(folder, small_config):
    nlp, _ = train(small_config)
    again, _ = train(small_config)
    for each in (nlp, again):
        assert not {"update", "evaluate", "to_disk"} & vars(each).keys()
        assert not any("finish_update" in vars(each.get_pipe(name)) for name in each.pipe_names)


def test_keeps_the_last_checkpoint_and_the_best_pipeline(folder, small_config):
    train(small_config)
    kept = sorted(path.name.split("-")[0] for path in (folder / CHECKPOINTS).iterdir())
    assert kept == ["best", "lock", "step"]
    assert len(list((folder / CHECKPOINTS).glob("step-12-*"))) == 1


def test_best_pipeline_is_put_back_and_not_the_last(folder, small_config, monkeypatch):
    """The scores fall, so that the first pipeline is the best."""
    scores = iter(numpy.linspace(1, 0, 20))
    monkeypatch.setattr(
        Language, "evaluate", lambda self, examples: {"ents_f": float(next(scores)), "tag_acc": 0.0}
    )
    with ending_in("recording.Recording.update", 8), pytest.raises(Killed):
        train(small_config)
    best = (folder / "out" / "model-best" / "hgn_ner" / "model").read_bytes()
    train(small_config)
    assert (folder / "out" / "model-best" / "hgn_ner" / "model").read_bytes() == best
    last = (folder / "out" / "model-last" / "hgn_ner" / "model").read_bytes()
    assert last != best


def test_best_pipeline_is_put_back_when_a_replay_is_stopped(folder, small_config):
    with ending_in("recording.Recording.update", 12), pytest.raises(Killed):
        train(small_config)
    best = (folder / "out" / "model-best" / "hgn_ner" / "model").read_bytes()
    with ending_in("replay.Replay.update", 2), pytest.raises(Killed):
        train(small_config)
    assert (folder / "out" / "model-best" / "hgn_ner" / "model").read_bytes() == best


def test_goes_on_without_an_output_folder(folder, small_config):
    whole, _ = train(elsewhere(small_config), output=None)
    with ending_in("recording.Recording.update", 8), pytest.raises(Killed):
        train(small_config, output=None)
    nlp, _ = train(small_config, output=None)
    assert_same_weights(nlp, whole)


def test_last_pipeline_is_there_before_the_next_evaluation(folder):
    config = cnn_config(**{"training.logger.frequency": 3})
    with ending_in("recording.Recording.update", 8), pytest.raises(Killed):
        train(config)
    loaded = []
    with ending_in("replay.Replay._arrive", 1, lambda: loaded.append(spacy.load("out/model-last"))):
        train(config)
    assert loaded[0].pipe_names == ["tagger", "hgn_ner"]
