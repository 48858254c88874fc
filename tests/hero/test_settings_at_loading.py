"""Settings of the Hero that ``spacy.load(path, config=...)`` changes: they hold, or are refused."""

import pytest
import spacy

from .helpers import TEXTS, make_pipeline

PATH = "components.transformer.model"


@pytest.fixture(scope="module")
def folder(hero_folders, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained")
    make_pipeline(hero_folders["bert"]).to_disk(path)
    return path


def load(folder, **settings):
    """The transformer, and what it makes of a text."""
    config = {"components": {"transformer": {"model": settings}}}
    nlp = spacy.load(folder, config=config)
    return nlp.get_pipe("transformer").model, nlp(TEXTS[0])._.trf_data


def test_more_of_the_output(folder):
    settings = {"output_attentions": True, "attn_implementation": "eager"}
    _, data = load(folder, transformer_config=settings)
    heads, places, _ = data.model_output["attentions"][0].shape[1:]
    assert heads > 1
    assert places == data.model_output["last_hidden_state"].shape[1]


def test_the_tokenizers_limit(folder):
    hero, data = load(folder, tokenizer_config={"model_max_length": 8})
    assert hero.shim.max_pieces == 8
    assert max(data.wordpieces.lengths) <= 8


def test_another_tokenizer(folder):
    assert load(folder)[0].tokenizer.is_fast
    assert not load(folder, tokenizer_config={"use_fast": False})[0].tokenizer.is_fast


def test_precision_and_spans(folder):
    spans = {"@span_getters": "spacy-transformers.strided_spans.v1", "window": 3, "stride": 3}
    hero, data = load(folder, precision="bfloat16", get_spans=spans)
    assert hero.shim.precision == "bfloat16"
    assert len(data.wordpieces.strings) > 1


def test_how_a_hero_is_got_from_the_hub_is_of_no_account(folder):
    load(folder, transformer_config={"revision": "main"}, tokenizer_config={"revision": "main"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transformer_config": {"output_attention": True}}, "BertConfig has no output_attention"),
        ({"transformer_config": {"num_hidden_layers": 1}}, "belong to another Hero"),
        ({"transformer_config": {"attn_implementation": "someone/kernel"}}, "attn_implementation"),
        ({"name": "another-hero"}, "says name = 'another-hero'"),
    ],
)
def test_what_a_trained_hero_cannot_be(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        load(folder, **settings)


def test_a_misspelt_setting_before_training(make_hero):
    with pytest.raises(ValueError, match="BertConfig has no hidden_dropout"):
        make_hero("bert", transformer_config={"hidden_dropout": 0.2})
