"""What doesn't fit ends all ranks, with an error that says what."""

import pytest
from checkpoints.helpers import write_corpus
from thinc.api import Config

from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.training.distributed.logger import check_config

from .helpers import ranks_config, train

pytestmark = pytest.mark.slow


def refused(configs: list[Config], folder) -> list[str]:
    outcomes = train(configs, folder)
    assert all(each.code for each in outcomes), outcomes
    assert not list((folder / "out").iterdir())
    return [each.error for each in outcomes]


@pytest.mark.long
def test_weights_of_other_shapes(tiny_bert, folder):
    own = ranks_config(tiny_bert)
    other = ranks_config(tiny_bert, **{"components.hgn_ner.model.windows": [1, 3, 5]})
    for error in refused([own, other], folder):
        assert "The ranks' pipelines differ" in error
        assert "missing on 0" in error


@pytest.mark.long
def test_other_labels(tiny_bert, folder):
    write_corpus(folder / "other.spacy", 11)
    own = ranks_config(tiny_bert)
    other = ranks_config(tiny_bert)
    for config, labels in ((own, ["GPE", "PERSON"]), (other, ["PERSON", "GPE"])):
        config["initialize"]["components"]["hgn_ner"] = {"labels": labels}
    for error in refused([own, other], folder):
        assert "hgn_ner.labels is ('PERSON', 'GPE') on rank 1, ('GPE', 'PERSON') on 0" in error


@pytest.mark.long
def test_averages(tiny_bert, folder):
    config = ranks_config(tiny_bert)
    config["training"]["optimizer"] = {"@optimizers": "Adam.v1", "use_averages": True}
    for error in refused_in_training(config, folder):
        assert "use_averages: expected false under torchrun, got true" in error


@pytest.mark.long
def test_a_rank_that_fails_ends_the_others(tiny_bert, folder):
    own, other = ranks_config(tiny_bert), ranks_config(tiny_bert)
    other["training"]["optimizer"] = {"@optimizers": "Adam.v1", "use_averages": True}
    first, second = train([own, other], folder)
    assert first.code
    assert second.code
    assert "use_averages" in second.error


def test_other_data(tiny_bert, folder):
    """They would have other numbers of batches, and wait for each other at the end."""
    write_corpus(folder / "other.spacy", 7)
    own = ranks_config(tiny_bert)
    other = ranks_config(tiny_bert, **{"paths.train": "other.spacy"})
    labels = {"tagger": {"labels": ["X", "."]}, "hgn_ner": {"labels": ["GPE", "PERSON"]}}
    for config in (own, other):
        config["initialize"]["components"] = labels
    outcomes = train([own, other], folder)
    assert all(each.code for each in outcomes), outcomes
    for each in outcomes:
        assert "yields the same on all ranks, got Examples: 11 on rank 0, 7 on rank 1" in each.error


@pytest.mark.long
def test_a_component_that_can_not_be_watched(folder):
    config = ranks_config("none", **{"nlp.pipeline": ["ner"]})
    del config["components"]["transformer"], config["components"]["doc_cleaner"]
    del config["components"]["tagger"], config["components"]["hgn_ner"]
    config["components"]["ner"] = {"factory": "ner"}
    for error in refused_in_training(config, folder):
        assert "expected another trained component before ner" in error


def refused_in_training(config: Config, folder) -> list[str]:
    outcomes = train([config, config], folder)
    assert all(each.code for each in outcomes), outcomes
    return [each.error for each in outcomes]


@pytest.mark.parametrize(
    ("section", "value", "told"),
    [
        ("corpora.train", {"@readers": "spacy.Corpus.v1"}, "expected the reader spacy-hgn.Sharded"),
        ("training.batcher", {"@batchers": "spacy.batch_by_words.v1"}, "EqualBatches.v1 around it"),
        (
            "training.logger",
            {
                "@loggers": "spacy-hgn.Distributed.v1",
                "logger": {"@loggers": "spacy-hgn.Checkpoints.v1"},
            },
            "only works in a single process",
        ),
        (
            "training.logger",
            {
                "@loggers": "spacy-hgn.Checkpoints.v1",
                "logger": {"@loggers": "spacy-hgn.Distributed.v1"},
            },
            "only works in a single process",
        ),
    ],
)
def test_configs_that_will_not_do(section, value, told):
    config = ranks_config("bert").interpolate()
    check_config(config)
    outer, inner = section.split(".")
    config[outer][inner] = value
    with pytest.raises(ValueError, match=told):
        check_config(config)


def test_adamw_without_the_logger(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    optimizer = AdamW(0.001)
    with pytest.raises(ValueError, match=r"training\.logger to spacy-hgn\.Distributed\.v1"):
        optimizer.step([])
