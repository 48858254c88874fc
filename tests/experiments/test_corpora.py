"""Corpora are found, converted once, and again when they change."""

from pathlib import Path

import pytest

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.experiments.corpora import convert_corpus
from spacy_hgn.experiments.errors import GridError
from spacy_hgn.experiments.grid import CorpusSource

from .conftest import PART_SIZES

CACHE = Path("cache")
TINY = CorpusSource("tiny")


def test_parts_are_converted_and_counted(project):
    corpus = convert_corpus("tiny", TINY, CACHE)
    assert corpus.sentences == PART_SIZES
    assert all(corpus.path(part).exists() for part in PART_SIZES)


def test_cache_is_used_until_a_file_or_a_setting_changes(project):
    first = convert_corpus("tiny", TINY, CACHE)
    first.path("dev").write_bytes(b"as it was")
    assert convert_corpus("tiny", TINY, CACHE).path("dev").read_bytes() == b"as it was"
    merged = convert_corpus("tiny", CorpusSource("tiny", merge=4), CACHE)
    assert merged.sentences["train"] == PART_SIZES["train"] / 4
    with Path("assets/tiny/dev.tsv").open("a") as file:
        file.write("\nOne\tO\nmore\tO\n")
    changed = convert_corpus("tiny", TINY, CACHE)
    assert changed.digest != first.digest
    assert changed.sentences["dev"] == PART_SIZES["dev"] + 1


def test_assets_variable_comes_first(project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    Path("assets").rename(elsewhere)
    monkeypatch.setenv("HGN_ASSETS", str(elsewhere))
    assert convert_corpus("tiny", TINY, CACHE).sentences == PART_SIZES
    monkeypatch.delenv("HGN_ASSETS")
    assert convert_corpus("tiny", CorpusSource("elsewhere/tiny"), CACHE).sentences == PART_SIZES


def test_missing_corpus_names_the_places_and_the_variable(project, monkeypatch):
    monkeypatch.setenv("HGN_ASSETS", "/nowhere")
    with pytest.raises(GridError, match=r"Corpus w: .*/nowhere/wnut17 or assets/wnut17") as info:
        convert_corpus("w", CorpusSource("wnut17"), CACHE)
    assert "HGN_ASSETS" in str(info.value)


def test_bad_parts_leave_nothing_in_the_cache(project):
    Path("assets/tiny/test.tsv").write_text("One\tO\nbad\n")
    with pytest.raises(CorpusError, match=r"test\.tsv"):
        convert_corpus("tiny", TINY, CACHE)
    Path("assets/tiny/test.tsv").write_text("\n")
    with pytest.raises(CorpusError, match="expected sentences in the test part, got none"):
        convert_corpus("tiny", TINY, CACHE)
    assert not CACHE.exists()
