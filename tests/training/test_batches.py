"""Steps of as many sentences as the config says, whatever the texts' length."""

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry

from spacy_hgn.training.init_config import make_training_config

VOCAB = spacy.blank("xx").vocab


def make_examples(lengths):
    docs = [Doc(VOCAB, words=["a"] * length) for length in lengths]
    return [Example(doc, doc.copy()) for doc in docs]


def lengths_of(batches):
    return [[len(example.predicted) for example in batch] for batch in batches]


def make_batcher(name="spacy-hgn.batch_by_sequence.v1", **settings):
    return registry.resolve({"batcher": {"@batchers": name, **settings}})["batcher"]


def test_sentences_are_batched_as_by_spacy():
    lengths = [i % 60 for i in range(100)]
    plain = make_batcher("spacy.batch_by_sequence.v1", size=32, get_length=None)
    limited = make_batcher(size=32, max_tokens=4096)
    found = lengths_of(limited(make_examples(lengths)))
    assert found == lengths_of(plain(make_examples(lengths)))
    assert list(map(len, found)) == [32, 32, 32, 4]


def test_long_texts_are_fewer_in_a_step():
    batches = make_batcher(size=3, max_tokens=10)(make_examples([4, 4, 4, 25, 1, 0, 10, 1, 9, 2]))
    assert lengths_of(batches) == [[4, 4], [4], [25], [1, 0], [10], [1, 9], [2]]


def test_the_config_of_whole_documents_has_bounded_steps():
    config = make_training_config("en", "a-hero")
    batcher = registry.resolve({"batcher": config["training"]["batcher"]})["batcher"]
    batches = lengths_of(batcher(make_examples([1600] * 40)))
    assert max(map(sum, batches)) <= 4096
    assert sum(map(sum, batches)) == 1600 * 40


@pytest.mark.parametrize("max_tokens", [0, -1, True, 2.5])
def test_an_impossible_limit_is_refused(max_tokens):
    with pytest.raises(ValueError, match="max_tokens"):
        make_batcher(size=32, max_tokens=max_tokens)
