"""Heroes of tiny checkpoints, built once a run."""

import socket
from collections.abc import Callable
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy_transformers.span_getters import get_doc_spans
from tiny_heroes import BUILDERS, MAX_PIECES, build_t5, keep_tokenizer_json_alone

from spacy_hgn.architectures import build_transformer_model
from spacy_hgn.hero.hero import Hero


@pytest.fixture(scope="session")
def hero_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The folder of each checkpoint; no test may change what it holds."""
    folders = {
        name: build(tmp_path_factory.mktemp(name)) for name, build in sorted(BUILDERS.items())
    }
    for name in ("xlnet", "roberta"):
        folder = tmp_path_factory.mktemp(f"{name}-json")
        folders[f"{name}-json"] = keep_tokenizer_json_alone(BUILDERS[name](folder))
    folders["t5"] = build_t5(tmp_path_factory.mktemp("t5"))
    return {name: str(folder) for name, folder in folders.items()}


@pytest.fixture(scope="session")
def make_hero(hero_folders: dict[str, str]) -> Callable[..., Hero]:
    """An initialized Hero of one of the checkpoints, in float32, with the settings given."""

    def make(name: str, **settings: Any) -> Hero:
        settings = {"get_spans": get_doc_spans, "precision": "float32", **settings}
        hero = build_transformer_model(hero_folders[name], **settings)
        hero.initialize()
        return hero

    return make


@pytest.fixture(scope="session")
def short_hero(make_hero: Callable[..., Hero]) -> Callable[..., Hero]:
    """A Hero that holds 64 pieces, XLNet too."""

    def make(name: str, **settings: Any) -> Hero:
        return make_hero(name, tokenizer_config={"model_max_length": MAX_PIECES}, **settings)

    return make


@pytest.fixture(scope="session")
def english() -> Language:
    """A tokenizer and nothing else."""
    return spacy.blank("xx")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every socket fails."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "socket", refuse)
