"""The pipelines that hard input is fed to, and the tally at the end."""

from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from tiny_heroes import BUILDERS

from .helpers import PIPELINES, make_pipeline
from .trying import IS_LONG, to_table


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if IS_LONG:
        terminalreporter.section("tried")
        terminalreporter.write_line(to_table())


@pytest.fixture(scope="session")
def hero_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny Heroes with random weights."""
    folder = tmp_path_factory.mktemp("heroes")
    return {hero: BUILDERS[hero](folder / hero) for hero, _, _ in PIPELINES}


@pytest.fixture(scope="session", params=PIPELINES, ids="-".join)
def nlp(request: pytest.FixtureRequest, hero_folders: dict[str, Path]) -> Language:
    """A pipeline whose random weights see entities everywhere."""
    hero, tag_scheme, decoder = request.param
    return make_pipeline(hero_folders[hero], tag_scheme=tag_scheme, decoder=decoder)


@pytest.fixture(scope="session")
def folder(hero_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline over the tiny BERT on disk; no test may change it."""
    path = tmp_path_factory.mktemp("pipeline")
    make_pipeline(hero_folders["bert"]).to_disk(path)
    return path
