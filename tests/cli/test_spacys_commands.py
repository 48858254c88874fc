"""What spaCy's own commands do with this package: train and evaluate."""

import pytest
import spacy
from component.helpers import make_examples, make_nlp, train_to_disk
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_hgn.cli.spacys_commands import look_at
from spacy_hgn.training.init_config import make_training_config

pytestmark = pytest.mark.slow


def run(*words):
    """Exit status and output, all white space made single blanks."""
    done = CliRunner().invoke(app, list(map(str, words)))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.spacy"
    DocBin(docs=[eg.reference for eg in make_examples(spacy.blank("xx"))]).to_disk(path)
    return path


@pytest.fixture
def train(tiny_bert, corpus, tmp_path):
    """Train by a config of init config, with overrides."""
    make_training_config("en", tiny_bert).to_disk(tmp_path / "my.cfg")
    paths = ["--paths.train", corpus, "--paths.dev", corpus, "--output", tmp_path / "out"]
    return lambda *words: run("train", tmp_path / "my.cfg", *paths, *words)


@pytest.mark.parametrize("words", [["--training.max_steps", 3], ["--training.max_epochs=3"]])
def test_the_last_of_few_steps_is_evaluated(train, words, tmp_path):
    status, output = train(*words)
    assert status == 0, output
    assert "so that the last step is evaluated:" in output
    training = spacy.load(tmp_path / "out" / "model-last").config["training"]
    assert training["max_steps"] == training["eval_frequency"] == 3
    assert training["max_epochs"] == 0


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("--training.max_stepss", "--training.max_steps"),
        ("--vars.hero_lern_rate", "--vars.hero_learn_rate"),
        ("--paths.trian", "--paths.train"),
        ("--nlp.batchsize", "--nlp.batch_size"),
    ],
)
def test_a_misspelt_setting_is_refused(train, override, meant, tmp_path):
    status, output = train(override, 3)
    assert status == 1
    assert f"{override}: the config has no such setting. Did you mean {meant}?" in output
    assert not (tmp_path / "out").exists()


def test_a_gpu_that_is_not_there_is_told_in_a_line(train, monkeypatch):
    monkeypatch.setattr("spacy_hgn.backend.gpu.driver_cuda", lambda: 0)
    status, output = train("--gpu-id", 0)
    assert status == 1
    assert "Can't use GPU 0: there is no NVIDIA driver" in output


def test_settings_of_other_pipelines_are_spacys_business(tmp_path):
    spacy.blank("xx").config.to_disk(tmp_path / "other.cfg")
    override = {"training.max_stepss": 3, "training.max_steps": 7, "training.eval_frequency": 5}
    assert look_at(tmp_path / "other.cfg", override) == []


def test_evaluate_draws_the_entities(corpus, tmp_path):
    pipeline = train_to_disk(make_nlp(), tmp_path / "pipeline", steps=1)
    pages = tmp_path / "pages"
    pages.mkdir()
    status, output = run("evaluate", pipeline, corpus, "--displacy-path", pages)
    assert status == 0, output
    page = (pages / "entities.html").read_text(encoding="utf8")
    assert "Cook" in page
