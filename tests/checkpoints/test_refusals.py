"""Checkpoints that are damaged or another run's are refused, with the reason."""

import shutil

import pytest
import spacy
from filelock import FileLock
from interruption import Killed
from spacy.tokens import DocBin

from .conftest import make_folder
from .helpers import CHECKPOINTS, cnn_config, ending_in, train, write_corpus

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stopped_once(tmp_path_factory):
    """The folder of a run that was stopped behind step 4, its last checkpoint."""
    folder = make_folder(tmp_path_factory.mktemp("stopped"))
    with pytest.MonkeyPatch.context() as patch, ending_in("recording.Recording.update", 8):
        patch.chdir(folder)
        with pytest.raises(Killed):
            train(cnn_config())
    return folder


@pytest.fixture
def stopped(stopped_once, tmp_path, monkeypatch):
    """A copy of it, and the current folder."""
    shutil.copytree(stopped_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_another_config(stopped):
    config = cnn_config(**{"training.dropout": 0.25, "training.batcher.size": 5})
    with pytest.raises(ValueError, match="another config") as error:
        train(config)
    assert "training.batcher.size: 4 then, 5 now" in str(error.value)
    assert "training.dropout: 0.1 then, 0.25 now" in str(error.value)


def test_logger_may_change(stopped):
    _, printed = train(cnn_config(**{"training.logger.progress_bar": True}))
    assert "Resuming after step 4" in printed


def test_other_training_data(stopped, small_config):
    write_corpus(stopped / "train.spacy", 10, offset=2)
    with pytest.raises(ValueError, match=r"training data .* batches up to step 0"):
        train(small_config)


def test_fewer_training_data(stopped, small_config):
    config = cnn_config(**{"training.max_epochs": 2, "training.max_steps": 0})
    shutil.rmtree(stopped / CHECKPOINTS)
    with ending_in("recording.Recording.update", 6), pytest.raises(Killed):
        train(config)
    write_corpus(stopped / "train.spacy", 4)
    with pytest.raises(ValueError, match=r"training data differ from|were reduced"):
        train(config)


def test_other_annotation_of_the_same_text(stopped, small_config):
    nlp = spacy.blank("xx")
    docs = list(DocBin().from_disk("train.spacy").get_docs(nlp.vocab))
    docs[7].set_ents(list(docs[7].ents)[:1])
    DocBin(docs=docs).to_disk("train.spacy")
    with pytest.raises(ValueError, match="training data differ from"):
        train(small_config)


def test_other_development_data(stopped, small_config):
    write_corpus(stopped / "dev.spacy", 6, offset=10)
    with pytest.raises(ValueError, match="development data differ from"):
        train(small_config)


@pytest.mark.parametrize("damage", ["cut short", "changed"])
def test_damage(damage, stopped, small_config):
    (path,) = (stopped / CHECKPOINTS).glob("step-*")
    data = bytearray(path.read_bytes())
    if damage == "cut short":
        path.write_bytes(data[:-9])
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    with pytest.raises(ValueError, match=r"step-4-\w+ is damaged: .*start over"):
        train(small_config)


@pytest.mark.parametrize("damage", ["a file is missing", "all are"])
def test_damage_of_the_best_pipeline(damage, stopped, small_config):
    (best,) = (stopped / CHECKPOINTS).glob("best-*")
    if damage == "a file is missing":
        (best / "tokenizer").unlink()
    else:
        shutil.rmtree(best)
    with pytest.raises(ValueError, match=r"best-.-\w+ is damaged: .*start over"):
        train(small_config)


def test_a_checkpoint_of_an_earlier_release(stopped, small_config):
    (stopped / CHECKPOINTS / "step-8").mkdir()
    (stopped / CHECKPOINTS / "step-8" / "state.json").write_text('{"format": 1}')
    with pytest.raises(ValueError, match="of an earlier release of spacy-hgn"):
        train(small_config)
    assert any((stopped / CHECKPOINTS).glob("step-4-*"))


def test_another_process_that_trains(stopped, small_config):
    """It is refused before spaCy clears what the first process has written."""
    (stopped / "out" / "model-best" / "notes").write_text("mine")
    lock = FileLock(stopped / CHECKPOINTS / "lock")
    with lock, pytest.raises(ValueError, match="another process is training with"):
        train(small_config)
    assert (stopped / "out" / "model-best" / "notes").exists()


def test_fewer_steps_than_were_trained(stopped):
    with pytest.raises(ValueError, match=r"ends with step 2, before .*max_steps.*reduced"):
        train(
            cnn_config(
                **{
                    "training.max_steps": 2,
                    "training.optimizer.learn_rate.total_steps": 12,
                    "training.optimizer.hero_learn_rate.total_steps": 12,
                }
            )
        )


def test_more_steps_of_another_schedule(stopped):
    """It says what to do instead."""
    with pytest.raises(ValueError, match=r"total_steps: 12 then, 20 now.* from its weights"):
        train(cnn_config(**{"training.max_steps": 20}))


def test_another_format(stopped, small_config, monkeypatch):
    monkeypatch.setattr("spacy_hgn.training.checkpoints.checkpoint.FORMAT", "3")
    with pytest.raises(ValueError, match=r"has format 2, but this release .* reads format 3"):
        train(small_config)


def test_impossible_frequency(folder):
    with pytest.raises(ValueError, match="frequency: expected steps, at least 1, or null; got 0"):
        train(cnn_config(**{"training.logger.frequency": 0}))


def test_nothing_to_train(folder):
    with pytest.raises(ValueError, match="no component is trained"):
        train(cnn_config(**{"training.frozen_components": ["tagger", "hgn_ner"]}))


def test_other_releases_are_warned_of(stopped, small_config, monkeypatch, caplog):
    monkeypatch.setattr("spacy_hgn.util.environment.version", lambda name: "0.0.1")
    train(small_config)
    assert "torch:" in caplog.text
    assert "'0.0.1' now" in caplog.text


def test_output_for_a_run_that_had_none(folder, small_config):
    with ending_in("recording.Recording.update", 8), pytest.raises(Killed):
        train(small_config, output=None)
    with pytest.raises(ValueError, match="belongs to a run without an output folder"):
        train(small_config)
