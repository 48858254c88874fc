"""Corpora are found, converted once, and again when they change."""

from pathlib import Path

import pytest
import spacy
import srsly

from spacy_hgn.corpora import docbin
from spacy_hgn.corpora.docbin import open_outputs
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.parts import iterate_docs
from spacy_hgn.corpora.reading import Task
from spacy_hgn.experiments.corpora import convert_corpus
from spacy_hgn.experiments.grid_file import CorpusSource, GridError

from .conftest import PART_SIZES

pytestmark = pytest.mark.slow

CACHE = Path("cache")
TINY = CorpusSource(source="tiny")


def test_parts_are_converted_and_counted(project):
    corpus = convert_corpus("tiny", TINY, CACHE)
    assert corpus.sentences == PART_SIZES
    assert all(corpus.path(part).exists() for part in PART_SIZES)


def test_cache_is_used_until_a_file_or_a_setting_changes(project):
    first = convert_corpus("tiny", TINY, CACHE)
    first.path("dev").write_bytes(b"as it was")
    assert convert_corpus("tiny", TINY, CACHE).path("dev").read_bytes() == b"as it was"
    merged = convert_corpus("tiny", CorpusSource(source="tiny", merge=4), CACHE)
    assert merged.sentences["train"] == PART_SIZES["train"] / 4
    with Path("assets/tiny/dev.tsv").open("a") as file:
        file.write("\nOne\tO\nmore\tO\n")
    changed = convert_corpus("tiny", TINY, CACHE)
    assert changed.digest != first.digest
    assert changed.sentences["dev"] == PART_SIZES["dev"] + 1


def read_texts(corpus, part):
    return [doc.text.strip() for doc in iterate_docs(corpus.path(part), spacy.blank("xx"))]


@pytest.mark.parametrize(("share", "kept"), [(0.25, 10), (0.001, 1), (0.99, 40), (1.0, 40)])
def test_a_share_of_the_training_part_is_evenly_spread(project, share, kept):
    words = [f"Word{i}" for i in range(PART_SIZES["train"])]
    Path("assets/tiny/train.tsv").write_text("".join(f"{word}\tB-X\n\n" for word in words))
    whole = convert_corpus("tiny", TINY, CACHE)
    corpus = convert_corpus("tiny", CorpusSource(source="tiny", train_share=share), CACHE)
    assert corpus.sentences == {**PART_SIZES, "train": kept}
    step = len(words) / kept
    assert read_texts(corpus, "train") == [words[int((i + 0.5) * step)] for i in range(kept)]
    for part in ("dev", "test"):
        assert read_texts(corpus, part) == read_texts(whole, part)


def test_another_share_is_another_corpus(project):
    shares = [1.0, 0.5, 0.25]
    corpora = [
        convert_corpus("tiny", CorpusSource(source="tiny", train_share=s), CACHE) for s in shares
    ]
    assert len({corpus.folder for corpus in corpora}) == 3
    assert corpora[0] == convert_corpus("tiny", TINY, CACHE)


def test_share_without_entities_is_refused(project):
    Path("assets/tiny/train.tsv").write_text("One\tB-X\n\nTwo\tO\n\nThree\tO\n")
    convert_corpus("tiny", TINY, CACHE)
    with pytest.raises(CorpusError, match=r"train\.tsv: .* got none in its train_share of 0\.4"):
        convert_corpus("tiny", CorpusSource(source="tiny", train_share=0.4), CACHE)


def test_assets_variable_comes_first(project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    Path("assets").rename(elsewhere)
    monkeypatch.setenv("HGN_ASSETS", str(elsewhere))
    assert convert_corpus("tiny", TINY, CACHE).sentences == PART_SIZES
    monkeypatch.delenv("HGN_ASSETS")
    assert (
        convert_corpus("tiny", CorpusSource(source="elsewhere/tiny"), CACHE).sentences == PART_SIZES
    )


def test_missing_corpus_names_the_places_and_the_variable(project, monkeypatch):
    monkeypatch.setenv("HGN_ASSETS", "/nowhere")
    with pytest.raises(GridError, match=r"Corpus w: .*/nowhere/wnut17 or assets/wnut17") as info:
        convert_corpus("w", CorpusSource(source="wnut17"), CACHE)
    assert "HGN_ASSETS" in str(info.value)


def test_published_corpus_names_its_addresses_and_wants_its_checksums(project):
    url, checksum = "https://example.org/test.tsv", "0123456789abcdef"
    asset = {"dest": "assets/tiny/test.tsv", "url": url, "checksum": checksum}
    srsly.write_yaml("project.yml", {"assets": [asset]})
    with pytest.raises(CorpusError, match=rf"test\.tsv: wrong checksum. Expected {checksum}, got"):
        convert_corpus("tiny", TINY, CACHE)
    Path("assets/tiny").rename("assets/other")
    with pytest.raises(GridError, match=f"fetch_assets.py tiny fetches it from {url}"):
        convert_corpus("tiny", TINY, CACHE)
    assert convert_corpus("other", CorpusSource(source="other"), CACHE).sentences == PART_SIZES


def test_corpus_without_entities_is_refused(project):
    Path("assets/tiny/train.tsv").write_text("One\tO\n")
    with pytest.raises(CorpusError, match=r"train\.tsv: expected entities to learn from, got none"):
        convert_corpus("tiny", TINY, CACHE)


def test_parts_that_do_not_fit_together_are_told_each_time(project):
    Path("assets/tiny/train.tsv").write_text("One\tB-X\n")
    Path("assets/tiny/dev.tsv").write_text("One\tO\n")
    Path("assets/tiny/test.tsv").write_text("One\tB-Y\n")
    for _ in range(2):
        assert convert_corpus("tiny", TINY, CACHE).problems == [
            "dev has no entities",
            "test lacks types that train has: X",
            "train lacks types that test has: Y",
        ]


def test_what_convert_can_be_told_can_be_told(project):
    rows = "# text = One two\n1\tOne\tB-X\n2\ttwo\tO\n\n# text = Three\n1\tThree\tQ-X\n"
    for part in PART_SIZES:
        Path(f"assets/tiny/{part}.tsv").write_text(rows)
    with pytest.raises(CorpusError):
        convert_corpus("tiny", TINY, CACHE)
    settings = {"token_column": 2, "comments": True}
    source = CorpusSource(source="tiny", **settings)
    with pytest.raises(CorpusError, match="Q-X"):
        convert_corpus("tiny", source, CACHE)
    source = CorpusSource(source="tiny", lenient=True, **settings)
    assert read_texts(convert_corpus("tiny", source, CACHE), "dev") == ["One two", "Three"]


def test_a_corpus_that_is_converted_already_is_read_also_from_folders(project, monkeypatch):
    whole = convert_corpus("tiny", TINY, CACHE)
    monkeypatch.setattr(docbin, "TOKENS_A_FILE", 200)
    for part in PART_SIZES:
        path = Path("converted") / f"{part}.spacy"
        with open_outputs(path) as outputs:
            docs = iterate_docs(whole.path(part), spacy.blank("xx"))
            outputs.write(docs, path, Task(spacy.blank("xx")))
            outputs.move()
    assert Path("converted/train.spacy").is_dir()
    again = convert_corpus("converted", CorpusSource(source="converted"), CACHE)
    assert again.path("train").is_dir()
    for part in PART_SIZES:
        assert read_texts(again, part) == read_texts(whole, part)


def test_bad_parts_leave_nothing_in_the_cache(project):
    Path("assets/tiny/test.tsv").write_text("One\tO\nbad\n")
    with pytest.raises(CorpusError, match=r"test\.tsv"):
        convert_corpus("tiny", TINY, CACHE)
    Path("assets/tiny/test.tsv").write_text("\n")
    with pytest.raises(CorpusError, match="expected sentences in the test part, got none"):
        convert_corpus("tiny", TINY, CACHE)
    assert not CACHE.exists()
