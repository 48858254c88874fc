"""Every format gives the same documents, wherever files are cut."""

import json
import os
import sys
from pathlib import Path

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_hgn.annotate import shards
from spacy_hgn.annotate.documents import Document, Failure
from spacy_hgn.annotate.inputs import find_inputs
from spacy_hgn.annotate.reading import read_shard
from spacy_hgn.annotate.settings import AnnotateSettings
from spacy_hgn.annotate.shards import Shard, cut_shards

from .helpers import make_texts, write_docbin, write_jsonl, write_lines, write_parquet

NLP = spacy.blank("xx")


def read(path: Path, limit: int = 3, format: str = "auto", **settings) -> list[Document | Failure]:
    """The documents of a file or a folder in shards of so many."""
    chosen = AnnotateSettings("", path.parent / "out", shard_size=limit, **settings)
    files = find_inputs([str(path)], chosen.output, format)
    return [each for s in cut_shards(files, chosen) for each in read_shard(s, NLP, chosen)]


def cut(limit: int, *paths: Path) -> list[Shard]:
    """Shards of files."""
    output = paths[0].parent / "out"
    settings = AnnotateSettings("", output, shard_size=limit)
    return list(cut_shards(find_inputs(list(map(str, paths)), output), settings))


def pairs(documents: list[Document | Failure]) -> list[tuple[str, str]]:
    assert not [each for each in documents if isinstance(each, Failure)]
    return [(each.id, str(each.content)) for each in documents]


@pytest.mark.parametrize("limit", [1, 3, 4, 100])
@pytest.mark.parametrize("format", ["text", "jsonl", "parquet", "docbin"])
def test_all_formats_in_shards_of_any_size(format, limit, tmp_path):
    texts = make_texts(10)
    records = [{"text": text} for text in texts]
    path = {
        "text": lambda: write_lines(tmp_path / "a.txt", texts),
        "jsonl": lambda: write_jsonl(tmp_path / "a.jsonl", records),
        "parquet": lambda: write_parquet(tmp_path / "a.parquet", records),
        "docbin": lambda: write_docbin(tmp_path / "a.spacy", texts),
    }[format]()
    expected = [(f"{path.as_posix()}:{i}", text) for i, text in enumerate(texts, start=1)]
    assert pairs(read(path, limit)) == expected


@pytest.mark.parametrize("write", [write_jsonl, write_parquet])
def test_ids_texts_and_meta_under_chosen_names(write, tmp_path):
    records = [{"n": i, "body": f"Text {i}", "about": {"year": 2000 + i}} for i in range(5)]
    path = write(tmp_path / ("a.jsonl" if write is write_jsonl else "a.parquet"), records)
    found = read(path, text="body", id="n", meta="about")
    assert pairs(found) == [(str(i), f"Text {i}") for i in range(5)]
    assert [json.loads(each.meta) for each in found] == [r["about"] for r in records]


def test_lines_end_as_they_do_everywhere(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\r\n\r\n  \ntwo\x85 \u2028 still two\x0c\nthree".encode())
    for limit in (1, 2, 10):
        assert pairs(read(path, limit)) == [
            (f"{path.as_posix()}:1", "one"),
            (f"{path.as_posix()}:4", "two\x85 \u2028 still two\x0c"),
            (f"{path.as_posix()}:5", "three"),
        ]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(
    lines=st.lists(st.binary(max_size=8).map(lambda data: data.replace(b"\n", b"")), max_size=30),
    ends=st.booleans(),
    limit=st.integers(1, 7),
    max_bytes=st.integers(1, 40),
)
def test_shards_are_whole_lines_and_none_is_lost(lines, ends, limit, max_bytes, tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "a.txt"
    data = b"\n".join(lines) + b"\n" * ends
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "MAX_BYTES", max_bytes)
        pieces = [piece for shard in cut(limit, path) for piece in shard.pieces]
    found = [b"".join(piece.lines) for piece in pieces]
    assert b"".join(found) == data
    assert all(each.endswith(b"\n") for each in found[:-1])
    firsts = [b"".join(found[:i]).count(b"\n") + 1 for i in range(len(found))]
    assert [piece.first for piece in pieces] == firsts
    assert all(piece.documents == len(piece.lines) <= limit for piece in pieces)
    assert all(piece.size <= max_bytes or len(piece.lines) == 1 for piece in pieces)


def test_many_bytes_make_a_shard_too(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "MAX_BYTES", 130)
    path = write_lines(tmp_path / "a.txt", ["x" * 60] * 6)
    assert [shard.documents for shard in cut(1000, path)] == [2, 2, 2]


def test_a_line_that_is_too_long_for_the_memory_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "MAX_LINE", 10)
    path = write_lines(tmp_path / "a.txt", ["one", "x" * 100, "two", "x" * 9, "y" * 10])
    good, bad, *more, last = read(path)
    assert [each.content for each in (good, *more)] == ["one", "two", "x" * 9]
    assert (bad.source, last.source) == (f"{path}:2", f"{path}:5")
    assert "expected a text of at most" in bad.error


def test_a_file_a_document(tmp_path):
    folder = tmp_path / "texts"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_text("One\ntext\n")
    (folder / "below" / "b.txt").write_bytes("\ufeffZürich".encode())
    (folder / "c.txt").write_bytes(b"")
    (folder / ".hidden.txt").write_text("no")
    (folder / "notes.md").write_text("no")
    names = ["a.txt", "below/b.txt", "c.txt"]
    expected = [
        (f"{folder.as_posix()}/{name}", text)
        for name, text in zip(names, ["One\ntext\n", "Zürich", ""], strict=True)
    ]
    assert pairs(read(folder, unit="file")) == expected


def test_a_shard_may_be_many_small_files(tmp_path):
    paths = [write_lines(tmp_path / f"{i}.txt", [f"Text {i}"]) for i in range(10)]
    assert [len(shard.pieces) for shard in cut(4, *paths)] == [4, 4, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_a_file_whose_name_is_no_unicode_has_ids_that_are(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("Maria")
    assert pairs(read(folder)) == [(rf"{folder.as_posix()}/caf\xe9.txt:1", "Maria")]


def test_globs_do_not_find_the_output(tmp_path):
    write_lines(tmp_path / "a.txt", ["Maria"])
    (tmp_path / "out").mkdir()
    write_lines(tmp_path / "out" / "b.txt", ["Maria"])
    found = find_inputs([str(tmp_path / "**" / "*.txt")], tmp_path / "out")
    assert [file.path.name for file in found] == ["a.txt"]


def test_files_folders_and_globs_give_each_file_once(tmp_path):
    for name in ("b.txt", "a.jsonl", "c/d.parquet", "c/e.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    given_twice = [str(tmp_path / "*.txt"), str(tmp_path), str(tmp_path / "c" / "..")]
    found = find_inputs(given_twice, tmp_path.parent / "out")
    assert [(file.path.name, file.format) for file in found] == [
        ("b.txt", "text"),
        ("a.jsonl", "jsonl"),
        ("d.parquet", "parquet"),
    ]
    assert [file.format for file in find_inputs(given_twice, tmp_path.parent / "o", "text")] == [
        "text"
    ] * 4
