import json
import os
from pathlib import Path

import pytest
from corpus_samples import OTHER, SAMPLE, SPANS, TEXT, TSV, to_lines
from eager import make_docs, pack_docs, read_columns
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.parts import find_parts

ASSETS = os.environ.get("HGN_ASSETS")

# Sentences, entities and mean tokens of train, dev and test, as published.
TABLE = {
    "wnut16": [(2394, 1496, 19.41), (1000, 661, 16.26), (3850, 3473, 16.08)],
    "wnut17": [(3394, 1975, 18.48), (1009, 836, 15.59), (1287, 1079, 18.18)],
    "bc5cdr-disease": [(4560, 4182, 25.91), (4581, 4246, 25.64), (4797, 4424, 26.01)],
    "bc5cdr-chem": [(4560, 5203, 25.91), (4581, 5347, 25.64), (4797, 5385, 26.01)],
    "bc2gm": [(12574, 15197, 28.27), (2519, 3061, 28.20), (5038, 6325, 28.48)],
}


def run(*args):
    result = CliRunner().invoke(app, ["hgn", "stats", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture
def count(tmp_path):
    def count(*args):
        report = tmp_path / "out" / "stats.json"
        code, output = run(*args, "--output", report)
        assert code == 0, output
        return json.loads(report.read_text("utf-8"))

    return count


@pytest.fixture
def corpus(write, tmp_path):
    """A folder of the parts' texts; each is as it is in the others unless given."""

    def write_parts(train="Ada\tB-PER\n", dev="Bo\tB-PER\n", test="Cy\tB-PER\n"):
        for part, text in {"train": train, "dev": dev, "test": test}.items():
            write(text, f"corpus/{part}.tsv")
        return tmp_path / "corpus"

    return write_parts


@pytest.mark.slow
@pytest.mark.skipif(
    not ASSETS, reason="HGN_ASSETS is not set: it names the folder of the real corpora"
)
@pytest.mark.parametrize("name", TABLE)
def test_counts_are_the_published_ones(count, name):
    parts = count(Path(ASSETS) / name)["parts"]
    assert list(parts) == ["train", "dev", "test"]
    found = [(p["sentences"], p["entities"], round(p["mean_tokens"], 2)) for p in parts.values()]
    assert found == TABLE[name]
    for part in parts.values():
        assert sum(part["types"].values()) == part["entities"]


def test_counts_of_a_file(write, count):
    path = write(TSV)
    report = count(path)
    assert report["parts"] == {
        "corpus.tsv": {
            "path": str(path),
            "format": "columns, split by tab, tag in column 2, IOB2",
            "unit": "sentences",
            "sentences": 2,
            "tokens": 5,
            "mean_tokens": 2.5,
            "unannotated": 0,
            "entities": 2,
            "crossing": 0,
            "types": {"PER": 1, "LOC": 1},
        }
    }
    assert report["overlaps"] == report["gaps"] == report["problems"] == []


def test_tables_show_the_parts_side_by_side(corpus):
    folder = corpus(train=TSV, test="Ada\tB-PER\nx\tO\n")
    code, output = run(folder)
    assert code == 0
    for row in ("train dev test", "sentences 2 1 1", "tokens 5 1 2", "mean 2.50 1.00 2.00"):
        assert row in output
    for row in ("entities 2 1 1", "PER 1 1 1", "LOC 1 0 0", "train and dev 0 0"):
        assert row in output


def test_texts_of_jsonl_are_not_called_sentences(write, count):
    path = write(to_lines({"text": f"{TEXT} {TEXT}", "spans": SPANS}, {"text": "Hi"}), "a.jsonl")
    part = count(path)["parts"]["a.jsonl"]
    assert (part["unit"], part["sentences"], part["tokens"]) == ("texts", 2, 13)
    assert (part["entities"], part["unannotated"]) == (2, 1)
    assert "texts 2" in run(path)[1]


@pytest.mark.parametrize("merge", [1, 2])
def test_spacy_files_count_as_what_they_were_made_from(write, nlp, tmp_path, count, merge):
    path = write(TSV)
    docs = make_docs(read_columns(path), nlp, merge)
    pack_docs(docs).to_disk(tmp_path / "a.spacy")
    made, original = count(tmp_path / "a.spacy", path)["parts"].values()
    for part in (made, original):
        del part["path"], part["format"]
    assert made == original


def test_parts_may_be_folders(write, count, tmp_path):
    for part in ("train", "development", "test"):
        write(TSV, f"tree/{part}/a/one.tsv")
        write(TSV, f"tree/{part}/b/two.tsv")
    parts = count(tmp_path / "tree")["parts"]
    assert [part["sentences"] for part in parts.values()] == [4, 4, 4]


def test_files_of_one_name_are_told_apart(write, count):
    paths = [write(TSV, "a/x.tsv"), write(TSV, "b/x.tsv")]
    assert list(count(*paths)["parts"]) == list(map(str, paths))


def test_options_reach_the_reader(write, count):
    path = write("Ada\tS-PER\tnoun\nAnn\tB-PER\tnoun\nLee\tE-PER\tnoun\n")
    assert run(path)[0] == 1
    assert count(path, "--column", "2", "--scheme", "iobes")["parts"]["corpus.tsv"]["entities"] == 2


def test_options_that_a_format_cannot_follow_are_errors(write, nlp, tmp_path):
    pack_docs(make_docs(read_columns(write(TSV)), nlp)).to_disk(tmp_path / "a.spacy")
    for options in (("--scheme", "iobes"), ("--format", "jsonl"), ("--column", "2")):
        code, output = run(tmp_path / "a.spacy", *options)
        assert code == 1
        assert f"a.spacy: spacy doesn't support the setting {options[0].lstrip('-')}" in output


def test_entities_across_the_start_of_a_sentence(nlp, tmp_path, count):
    doc = Doc(nlp.vocab, words=["New", "York", "Ada"], sent_starts=[True, True, False])
    doc.set_ents([Span(doc, 0, 2, "LOC"), Span(doc, 2, 3, "PER")])
    DocBin(docs=[doc], attrs=["ENT_IOB", "ENT_TYPE", "SENT_START"]).to_disk(tmp_path / "a.spacy")
    report = count(tmp_path / "a.spacy")
    assert report["parts"]["a.spacy"]["entities"] == 2
    assert report["parts"]["a.spacy"]["crossing"] == 1
    assert "a.spacy has 1 entities across the start of a sentence" in report["problems"][0]


def test_sentences_that_two_parts_share(corpus, count):
    both = "New\tB-LOC\nYork\tI-LOC\n\n"
    other = "New\tO\nYork\tB-LOC\n\n"
    folder = corpus(train=both + both + "Hi\tO\n", dev=both + "Bo\tB-LOC\n", test=other + "Hi\tO\n")
    overlaps = {tuple(overlap.pop("parts")): overlap for overlap in count(folder)["overlaps"]}
    assert overlaps["train", "dev"] == {"sentences": 1, "conflicts": 0, "examples": []}
    conflict = {
        "words": ["New", "York"],
        "entities": {"train": [[0, 2, "LOC"]], "test": [[1, 2, "LOC"]]},
    }
    assert overlaps["train", "test"] == {"sentences": 2, "conflicts": 1, "examples": [conflict]}
    assert overlaps["dev", "test"]["conflicts"] == 1
    assert count(folder, "--show", "0")["overlaps"][1]["examples"] == []
    _, output = run(folder)
    assert "train and test 2 1" in output
    assert "New York train: New York (LOC) test: York (LOC)" in output
    assert "train: New York" not in run(folder, "--show", "0")[1]


def test_missing_annotation_contradicts_nothing(corpus, count):
    folder = corpus(train="a\tB-X\nb\tO\n", dev="a\t-\nb\tO\n", test="a\t-\nb\tB-X\n")
    conflicts = [overlap["conflicts"] for overlap in count(folder)["overlaps"]]
    assert conflicts == [0, 1, 1]


def test_types_that_a_part_lacks(corpus, count):
    folder = corpus(train="a\tB-X\nb\tB-Y\n", dev="a\tB-X\n", test="a\tB-X\nb\tB-Y\nc\tB-Z\n")
    report = count(folder)
    assert {(gap["part"], gap["other"], *gap["types"]) for gap in report["gaps"]} == {
        ("dev", "train", "Y"),
        ("dev", "test", "Y", "Z"),
        ("train", "test", "Z"),
    }
    assert "dev lacks types that test has: Y, Z" in report["problems"]
    assert "dev lacks types that train has: Y" in run(folder)[1]


def test_parts_without_sentences_or_entities(corpus, count):
    folder = corpus(dev="\n \n", test="a\tO\n")
    assert count(folder)["problems"] == ["dev is empty", "test has no entities"]
    (folder / "dev.tsv").write_text("")
    code, output = run(folder)
    assert code == 0
    assert "dev is empty" in output


def test_texts_longer_than_the_hero(write, count, tiny_bert):
    # It holds 64 word pieces, of which two are special; a letter is a piece.
    longest, over, word = "a\tO\n" * 62, "a\tO\n" * 65, f"{'a' * 63}\tO\n"
    path = write("\n".join([longest, over, word]))
    fit = count(path, "--hero", tiny_bert)["hero"]
    assert fit["limit"] == 64
    lengths = {"over_long": 2, "tokens_cut": 1, "pieces": 196, "unknown": 0}
    assert fit["parts"] == {"corpus.tsv": lengths}
    assert "texts over 64 word pieces 2" in run(path, "--hero", tiny_bert)[1]


def test_no_such_hero(write, tmp_path):
    code, output = run(write(TSV), "--hero", tmp_path)
    assert code == 1
    assert f"Can't load the Hero '{tmp_path}'" in output


def test_what_cannot_be_read_is_named(write, tmp_path):
    for path in (write("a\tB-X\nb\n", "x.tsv"), write("no DocBin", "x.spacy")):
        code, output = run(path)
        assert code == 1
        assert f"{path}:" in output
    assert run(tmp_path / "nothing")[0] == 2


@pytest.mark.parametrize(
    "names",
    [
        ("train", "dev", "test"),
        ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"),
        ("train.tsv", "devel.tsv", "test.tsv"),
        ("eng.train", "eng.testa", "eng.testb"),
        ("train.jsonl", "valid.jsonl", "test.jsonl"),
    ],
)
def test_parts_are_found_by_their_names(write, tmp_path, names):
    for name in (*names, "README.md", ".train.tsv.swp", f"{names[0]}.repairs.jsonl"):
        write(TSV, f"corpus/{name}")
    found = find_parts(tmp_path / "corpus")
    assert {part: path.name for part, path in found.items()} == dict(
        zip(("train", "dev", "test"), names)
    )


def test_parts_that_are_not_there_or_twice(corpus, write):
    folder = corpus()
    write(TSV, "corpus/train.conll")
    with pytest.raises(CorpusError, match="as its train part; it holds dev"):
        find_parts(folder)
    (folder / "train.conll").unlink()
    (folder / "dev.tsv").unlink()
    with pytest.raises(CorpusError, match="with dev or valid or testa in its name, as its dev"):
        find_parts(folder)
    with pytest.raises(CorpusError, match="expected a folder"):
        find_parts(folder / "train.tsv")
    code, output = run(folder)
    assert code == 1
    assert "as its dev part" in output


@pytest.mark.parametrize(
    ("given", "meant"),
    [("Per", "PER"), ("PERSON", "PER"), ("LOCATON", "LOCATION"), ("geo-loc", "GEO_LOC")],
)
def test_a_label_that_looks_like_one_of_train(corpus, given, meant):
    folder = corpus(train=f"a\tB-{meant}\n", dev=f"a\tB-{given}\nb\tB-{meant}\n")
    code, output = run(folder)
    assert code == 0
    assert f"train lacks types that dev has: {given} (did you mean {meant}?)" in output


def test_a_label_that_looks_like_none(corpus):
    assert "did you mean" not in run(corpus(dev="a\tB-ORG\n"))[1]


def test_stats_reads_as_convert_does(write, count):
    path = write("1\tAda\tB-PER\n2\tleft\t??\n3\tOslo\tO\n")
    code, output = run(path, "--token-column", "2")
    assert code == 1
    assert "--lenient repairs such lines" in output
    report = count(path, "--token-column", "2", "--lenient")
    assert report["parts"]["corpus.tsv"]["unannotated"] == 2
    assert "Repairs: 2" in run(path, "--token-column", "2", "--lenient")[1]
    commented = write("# id 1\nAda\tB-PER\n", "commented.tsv")
    assert count(commented, "--comments")["parts"]["commented.tsv"]["tokens"] == 1


def test_stats_of_the_shared_tasks_test_part(write, tmp_path, count):
    for part in ("train", "development", "test", "conll-2012-test"):
        write(SAMPLE if part == "train" else OTHER, f"data/{part}/nw/a.gold_conll")
        write("[WORD]", f"data/{part}/nw/a.gold_skel")
    parts = count(tmp_path / "data")["parts"]
    assert parts["test"]["path"].endswith("conll-2012-test")
    assert parts["train"]["sentences"] == 3
    assert f"Skipped {tmp_path / 'data' / 'test'}" in run(tmp_path / "data")[1]
