"""Wrong settings are refused with their names."""

import shutil

import huggingface_hub
import pytest
import transformers
from spacy_transformers.span_getters import get_doc_spans

from spacy_hgn.architectures import build_transformer_model


def initialize(name, **settings):
    build_transformer_model(str(name), get_doc_spans, **settings).initialize()


@pytest.fixture
def offline_hub(monkeypatch):
    """Tell the hub's client not to try; without network it tries for most of a minute."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(transformers.utils.hub, "_is_offline_mode", True)


@pytest.mark.usefixtures("offline_hub")
@pytest.mark.parametrize("name", ["nobody/no-such-model", "no-such-model", "no/such/folder"])
def test_an_unknown_name(name):
    with pytest.raises(ValueError, match=f"Can't load the Hero '{name}'"):
        initialize(name)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file(missing, hero_folders, tmp_path):
    folder = shutil.copytree(hero_folders["bert"], tmp_path / "checkpoint")
    (folder / missing).unlink()
    with pytest.raises(ValueError, match=f"Hero .*{folder}"):
        initialize(folder)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=f"Hero .*{tmp_path}"):
        initialize(tmp_path)


def test_an_encoder_decoder(hero_folders):
    with pytest.raises(ValueError, match=r"Expected a Hero that is an encoder.*T5Model"):
        initialize(hero_folders["t5"])


def test_an_unknown_precision(hero_folders):
    with pytest.raises(ValueError, match=r"precision: expected .*float32.*got 'float16'"):
        initialize(hero_folders["bert"], precision="float16")
