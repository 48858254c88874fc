"""Names of arrays are the same in every pipeline of the same config."""

import pytest
import spacy
import torch
from spacy.training import Example
from thinc.api import fix_random_seed

from spacy_hgn.training.loop.trained_models import TrainedModels

from .helpers import CNN


def make_nlp(width: int = 16):
    nlp = spacy.blank("xx")
    tok2vec = {**CNN, "width": width}
    nlp.add_pipe(
        "tagger", config={"model": {"@architectures": "spacy.Tagger.v2", "tok2vec": tok2vec}}
    )
    nlp.add_pipe("hgn_ner", config={"model": {"tok2vec": tok2vec, "windows": [1]}})
    example = Example.from_dict(
        nlp.make_doc("Ada"), {"tags": ["N"], "entities": [(0, 3, "PERSON")]}
    )
    nlp.initialize(lambda: [example])
    return nlp


def test_arrays_are_taken_over():
    fix_random_seed(1)
    source = TrainedModels(make_nlp())
    fix_random_seed(2)
    target = TrainedModels(make_nlp())
    arrays = source.arrays()
    assert any(not torch.equal(arrays[name], other) for name, other in target.arrays().items())
    target.load(arrays)
    assert all(torch.equal(arrays[name], other) for name, other in target.arrays().items())


def test_arrays_of_other_models_are_refused():
    arrays = TrainedModels(make_nlp(width=8)).arrays()
    with pytest.raises(ValueError, match=r"belong to other models\. .*hgn_ner\.\d+\.E"):
        TrainedModels(make_nlp()).load(arrays)


def test_settings_are_taken_over():
    source, target = make_nlp(), make_nlp()
    source.get_pipe("tagger").cfg["found"] = 7
    TrainedModels(target).load_settings(TrainedModels(source).settings())
    assert target.get_pipe("tagger").cfg["found"] == 7


def test_gradients_of_zero_are_laid_where_some_were():
    nlp = make_nlp()
    names = [name for name in TrainedModels(nlp).keys().values() if name.startswith("hgn_ner")]
    models = TrainedModels(nlp)
    assert models.gradients() == []
    models.zero_gradients(names)
    assert sorted(models.gradients()) == sorted(names)
