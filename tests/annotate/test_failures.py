"""Documents that fail are listed with their errors; all others are annotated."""

import pyarrow as pa
import pyarrow.parquet
import pytest
import spacy

from .helpers import (
    CODE,
    annotate,
    command,
    documents_in,
    failures_in,
    files_in,
    make_texts,
    write_docbin,
    write_jsonl,
    write_lines,
    write_parquet,
)


def ids_and_errors(output) -> dict[str, str]:
    return {failure["id"]: failure["error"] for failure in failures_in(output)}


def test_a_component_fails_on_some_texts_of_a_batch(exploding, tmp_path):
    texts = make_texts(20)
    texts[3] = texts[11] = "Maria hears a boom in Lisbon."
    path = write_lines(tmp_path / "a.txt", texts)
    summary = annotate(exploding, [path], tmp_path / "out", batch_size=5, code=CODE)
    assert (summary.documents, summary.failed) == (18, 2)
    bad = [f"{path}:4", f"{path}:12"]
    assert documents_in(tmp_path / "out") == [
        f"{path}:{i}" for i in range(1, 21) if f"{path}:{i}" not in bad
    ]
    expected = f"RuntimeError: boom in {texts[3]!r}"
    assert failures_in(tmp_path / "out") == [
        {"id": each, "source": each, "error": expected} for each in bad
    ]


def test_lines_that_are_no_records(ruler, tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": "Maria", "id": "good"}])
    bad = [
        b'{"text": "Z\xfcrich"}',
        b'{"text": "Maria"',
        b'["Maria"]',
        b'{"id": "x"}',
        b'{"id": "y", "text": null}',
        b'{"id": 1.5, "text": "Maria"}',
        b'{"text": "\\ud83d"}',
        b'{"text": "Maria", "meta": "\\udc00"}',
        b"[" * 100_000,
    ]
    path.write_bytes(path.read_bytes() + b"\n".join(bad) + b'\n{"text": "Ada", "id": "last"}')
    summary = annotate(ruler, [path], tmp_path / "out")
    assert documents_in(tmp_path / "out") == ["good", "last"]
    assert summary.failed == len(bad)
    found = ids_and_errors(tmp_path / "out")
    assert [*found] == [f"{path}:{i}" for i in (2, 3, 4)] + ["x", "y"] + [
        f"{path}:{i}" for i in (7, 8, 9, 10)
    ]
    assert [error.partition(",")[0] for error in found.values()] == [
        "expected UTF-8",
        "expected JSON",
        "expected a JSON object",
        'expected "text" to be a string',
        'expected "text" to be a string',
        'expected "id" to be a string or an integer',
        "expected Unicode characters",
        "expected Unicode characters",
        "expected JSON",
    ]
    assert "byte 0xfc at offset 11" in found[f"{path}:2"]


@pytest.mark.parametrize("unit", ["line", "file"])
def test_texts_beyond_max_length(unit, ruler, tmp_path, monkeypatch):
    huge = ["x" * 1001, "Maria " * 300]
    if unit == "line":
        write_lines(tmp_path / "a.txt", ["Maria", huge[0], "Ada", huge[1], "Zoe"])
        bad = [f"{tmp_path}/a.txt:{i}" for i in (2, 4)]
        good = [f"{tmp_path}/a.txt:{i}" for i in (1, 3, 5)]
    else:
        for i, text in enumerate(["Maria", huge[0], "Ada", huge[1], "Zoe"]):
            (tmp_path / f"{i}.txt").write_text(text)
        bad = [f"{tmp_path}/{i}.txt" for i in (1, 3)]
        good = [f"{tmp_path}/{i}.txt" for i in (0, 2, 4)]
    nlp = spacy.load(ruler)
    nlp.max_length = 1000
    monkeypatch.setattr("spacy_hgn.annotate.run.load_annotator", lambda _: nlp)
    annotate(ruler, sorted(tmp_path.glob("*.txt")), tmp_path / "out", unit=unit)
    assert documents_in(tmp_path / "out") == good
    found = ids_and_errors(tmp_path / "out")
    assert [*found] == bad
    assert all("[E088]" in error for error in found.values())


def test_files_that_cannot_be_read(ruler, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "1.parquet").write_bytes(b"PAR1 no Parquet at all PAR1")
    (folder / "2.spacy").write_bytes(b"no DocBin")
    whole = write_docbin(folder / "3.spacy", make_texts(5)).read_bytes()
    (folder / "3.spacy").write_bytes(whole[: len(whole) // 2])
    write_parquet(folder / "4.parquet", [{"words": "Maria"}])
    write_parquet(folder / "5.parquet", [{"text": "Maria", "id": 7}, {"text": None, "id": 8}])
    write_lines(folder / "6.txt", ["Ada"])
    summary = annotate(ruler, [folder], tmp_path / "out")
    assert (summary.documents, summary.failed) == (2, 5)
    assert documents_in(tmp_path / "out") == ["7", f"{folder}/6.txt:1"]
    found = ids_and_errors(tmp_path / "out")
    bad = ("1.parquet", "2.spacy", "3.spacy", "4.parquet")
    assert [*found] == [*(f"{folder}/{name}" for name in bad), "8"]
    assert "expected Parquet, got an error" in found[f"{folder}/1.parquet"]
    assert "expected a .spacy file, got an error" in found[f"{folder}/2.spacy"]
    assert found[f"{folder}/4.parquet"] == 'expected a column "text", got words'


def test_parquet_that_is_damaged_in_the_middle(ruler, tmp_path):
    records = [{"text": text, "id": f"d{i}"} for i, text in enumerate(make_texts(40))]
    path = write_parquet(tmp_path / "a.parquet", records, row_group=10)
    data = bytearray(path.read_bytes())
    middle = data.index(records[20]["text"].encode())
    data[middle - 200 : middle + 100] = b"\xff" * 300
    path.write_bytes(data)
    annotate(ruler, [path], tmp_path / "out", shard_size=5)
    good, bad = documents_in(tmp_path / "out"), failures_in(tmp_path / "out")
    assert good[:10] == [f"d{i}" for i in range(10)]
    assert good[-10:] == [f"d{i}" for i in range(30, 40)]
    assert len(good) == len(set(good))
    covered = set(good)
    for failure in bad:
        first, last = map(int, failure["id"].rpartition(":")[2].split("-"))
        covered |= {f"d{i - 1}" for i in range(first, last + 1)}
    assert covered == {f"d{i}" for i in range(40)}
    assert bad


def test_bad_utf8_in_parquet(ruler, tmp_path):
    texts = pa.array([b"Maria", b"Z\xfcrich", b"Ada"], pa.binary()).view(pa.string())
    pa.parquet.write_table(pa.table({"text": texts}), path := tmp_path / "a.parquet")
    annotate(ruler, [path], tmp_path / "out")
    assert documents_in(tmp_path / "out") == [f"{path}:1", f"{path}:3"]
    assert "expected UTF-8" in ids_and_errors(tmp_path / "out")[f"{path}:2"]


def test_empty_files_have_no_documents(ruler, tmp_path):
    for name in ("a.txt", "b.jsonl", "c.spacy"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.txt").write_text("\n \n")
    write_parquet(tmp_path / "e.parquet", [{"text": "Maria"}][:0])
    done = command(ruler, *sorted(tmp_path.iterdir()), tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "0 documents" in done.output
    assert documents_in(tmp_path / "out") == []


def test_exit_status_and_summary(exploding, tmp_path):
    path = write_lines(tmp_path / "a.txt", ["Maria", "boom", "Ada"])
    for _ in range(2):  # the second time, nothing is left to do
        done = command(exploding, path, tmp_path / "out", "--code", CODE)
        assert done.exit_code == 3, done.output
        assert "2 documents" in done.output
        assert "1 could not be annotated" in done.output


def test_failures_of_an_earlier_attempt_do_not_stay(exploding, tmp_path, monkeypatch):
    path = write_lines(tmp_path / "a.txt", ["Maria", "boom"])
    annotate(exploding, [path], tmp_path / "out", code=CODE)
    (tmp_path / "out" / "done" / "0000000.json").unlink()
    monkeypatch.setattr("spacy_hgn.annotate.run.load_annotator", lambda _: spacy.blank("xx"))
    summary = annotate(exploding, [path], tmp_path / "out", code=CODE)
    assert summary.failed == 0
    assert documents_in(tmp_path / "out") == [f"{path}:1", f"{path}:2"]
    assert not [name for name in files_in(tmp_path / "out") if name.startswith("failed")]
