import json
import os
import subprocess
import sys

import pytest
import spacy
from corpus_samples import CONLL2003, OTHER, SAMPLE, SPANS, TEXT, TSV, to_lines
from spacy.cli._util import app
from spacy.tokens import DocBin
from spacy.training import Corpus
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.corpora.docbin import open_outputs
from spacy_hgn.corpora.formats import open_corpus
from spacy_hgn.corpora.parts import read_part
from spacy_hgn.corpora.reading import Task
from spacy_hgn.corpora.stats import count


def convert(*args):
    result = CliRunner().invoke(app, ["hgn", "convert", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def load(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out" / "corpus.spacy"


def test_prints_what_it_found_and_counted(write, out):
    code, output = convert(write(TSV), out)
    assert code == 0
    assert "columns, split by tab, tag in column 2, IOB2" in output
    for part in ("sentences 2", "tokens 5", "entities 2", "PER 1", "LOC 1"):
        assert part in output
    first, second = load(out)
    assert [(e.text, e.label_) for e in first.ents] == [("Ada", "PER"), ("New York", "LOC")]
    assert first[1].ent_iob == 2
    assert [token.is_sent_start for token in first] == [True, False, False, False]
    assert second.text == "Hi "


@pytest.mark.parametrize(
    ("content", "name", "format"),
    [
        (TSV, "a.conll", "columns"),
        (CONLL2003, "eng.testa", "conll2003"),
        (SAMPLE, "x_gold_conll", "conll2012"),
        (SAMPLE, "x.txt", "conll2012"),
        (to_lines({"text": TEXT, "spans": SPANS}), "a.jsonl", "jsonl"),
        (to_lines({"text": TEXT, "spans": SPANS}), "a.txt", "jsonl"),
        ("{\tO\n}\tO\n", "a.txt", "columns"),
    ],
)
def test_format_is_found_or_forced(write, out, content, name, format):
    path = write(content, name)
    code, output = convert(path, out)
    assert code == 0
    assert f"{name}: {format}" in output
    found = [doc.to_json() for doc in load(out)]
    code, _ = convert(path, out, "--format", format)
    assert code == 0
    assert [doc.to_json() for doc in load(out)] == found


def test_wrong_format_is_an_error(write, out):
    assert convert(write(TSV), out, "--format", "jsonl")[0] == 1
    assert convert(write(TSV), out, "--format", "conll2012")[0] == 1
    assert not out.exists()


def test_options_reach_the_reader(write, out):
    path = write("a b\tS-X y\nc d\tO y\n\ne f\tO y\n")
    settings = ("--delimiter", "blank", "--column", "2", "--merge", "2")
    assert convert(path, out)[0] == 1
    path = write("a b S-X y\nc d O y\n\ne f O y\n")
    options = ("--delimiter", "blank", "--column", "-2", "--scheme", "iobes", "--merge", "2")
    code, output = convert(path, out, *options)
    assert code == 0, output
    [doc] = load(out)
    assert doc.text == "a c e "
    assert [token.is_sent_start for token in doc] == [True, False, True]
    assert [entity.text for entity in doc.ents] == ["a"]
    assert convert(path, out, *settings)[0] == 1
    assert convert(path, out, "--column", "3", "--scheme", "iob2")[0] == 1


@pytest.mark.parametrize(
    ("name", "content", "option", "value"),
    [
        ("x_gold_conll", SAMPLE, "--column", "4"),
        ("x_gold_conll", SAMPLE, "--scheme", "iobes"),
        ("x_gold_conll", SAMPLE, "--delimiter", "tab"),
        ("x.jsonl", to_lines({"text": TEXT, "spans": SPANS}), "--scheme", "biluo"),
        ("x.jsonl", to_lines({"text": TEXT, "spans": SPANS}), "--merge", "2"),
    ],
)
def test_options_that_a_format_cannot_follow_are_errors(write, out, name, content, option, value):
    path = write(content, name)
    code, output = convert(path, out, option, value)
    assert code == 1
    assert f"{path}: {'jsonl' if name == 'x.jsonl' else 'conll2012'} doesn't support" in output
    assert option.lstrip("-") in output
    assert not out.exists()


@pytest.mark.parametrize(
    "options",
    [("--format", "xml"), ("--delimiter", "comma"), ("--scheme", "iob3"), ("--merge", "0")],
)
def test_unknown_options(write, out, options):
    code, output = convert(write(TSV), out, *options)
    assert code == 2
    assert options[0] in output


@pytest.mark.slow
def test_lang(write, out):
    path = write(to_lines({"text": "C'est l'amour", "entities": [[8, 13, "X"]]}), "a.jsonl")
    code, output = convert(path, out)
    assert code == 1
    assert "misaligned span 8-13" in output
    assert convert(path, out, "--lang", "fr")[0] == 0
    assert [token.text for token in load(out)[0]] == ["C'", "est", "l'", "amour"]
    assert convert(path, out, "--lang", "zzz")[0] == 1


def test_bad_line_is_shown_and_nothing_written(write, out):
    path = write("a\tB-X\nb  c\tO\nd\tI-X\n")
    code, output = convert(path, out)
    assert code == 1
    assert f"{path}:3: impossible tag I-X in IOB2" in output
    assert r"'d\tI-X'" in output
    assert not out.exists()


def test_lenient_writes_a_report(write, out):
    path = write("a\tB-X\nb\tO\nc\tI-X\nd\n")
    code, output = convert(path, out, "--lenient")
    assert code == 0
    assert "Repairs: 2" in output
    assert "tokens without annotation 2" in output
    report = out.with_name("corpus.spacy.repairs.jsonl")
    repairs = [json.loads(line) for line in report.read_text("utf-8").splitlines()]
    assert [(r["file"], r["line"], r["was"], r["became"]) for r in repairs] == [
        (str(path), 3, "I-X", "-"),
        (str(path), 4, "d", "d -"),
    ]
    [doc] = load(out)
    assert [token.ent_iob for token in doc] == [3, 2, 0, 0]


def test_lenient_report_of_a_good_file_is_empty(write, out):
    assert convert(write(TSV), out, "--lenient")[0] == 0
    assert out.with_name("corpus.spacy.repairs.jsonl").read_text() == ""


def test_missing_tags_are_missing_in_the_file(write, out):
    assert convert(write("a\t-\nb\tB-X\nc\tO\n"), out)[0] == 0
    assert [token.ent_iob for token in load(out)[0]] == [0, 3, 2]


@pytest.mark.parametrize("name", ["a.tsv", "a.jsonl", "a_gold_conll"])
def test_no_sentences_is_an_error(write, out, name):
    code, output = convert(write("\n\n", name), out)
    assert code == 1
    assert "expected sentences, got none" in output


def test_texts_of_jsonl_are_not_called_sentences(write, out):
    _, output = convert(write(to_lines({"text": TEXT, "spans": SPANS}), "a.jsonl"), out)
    assert "texts 1" in output
    assert "sentences" not in output


def test_no_entities_is_a_warning(write, out):
    code, output = convert(write("a\tO\n"), out)
    assert code == 0
    assert "No entities" in output
    assert out.exists()


def test_output_must_be_spacy(write, tmp_path):
    code, output = convert(write(TSV), tmp_path / "corpus.json")
    assert code == 1
    assert "Expected an output that ends in .spacy" in output


def write_tree(write):
    write(SAMPLE, "tree/bn/own/00/own_0001.v4_gold_conll")
    write(OTHER, "tree/nw/own/01/own_0102.v4_gold_conll")
    write("no annotation", "tree/nw/own/01/own_0102.v4_auto_conll")
    return write("notes", "tree/README").parent


def test_folder_tree_of_conll2012_into_a_folder(write, tmp_path):
    code, output = convert(write_tree(write), tmp_path / "out")
    assert code == 0, output
    assert "Skipped 2 files" in output
    assert "and 1 more: conll2012" in output
    assert "sentences 4" in output
    assert "PERSON 1" in output
    written = sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.rglob("*.spacy"))
    assert written == ["bn/own/00/own_0001.spacy", "nw/own/01/own_0102.spacy"]
    assert len(load(tmp_path / "out" / written[0])) == 3


def test_folder_tree_of_conll2012_into_one_file(write, out):
    assert convert(write_tree(write), out, "--merge", "9")[0] == 0
    assert [doc[0].text for doc in load(out)] == ["Maria", "Thanks", "Acme"]


def test_folder_of_columns(write, tmp_path):
    folder = write(TSV, "in/train.tsv").parent
    write("x\tO\n", "in/dev.tsv")
    write("y\tO\n", "in/dev.conll")
    write("# Notes", "in/notes.md")
    write("hidden", "in/.git/x.tsv")
    code, output = convert(folder, tmp_path / "out")
    assert code == 1
    assert "notes.md:1" in output
    assert not (tmp_path / "out").exists()
    (folder / "notes.md").unlink()
    assert convert(folder, tmp_path / "out")[0] == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"train.spacy", "dev.tsv.spacy", "dev.conll.spacy"}
    assert convert(folder, folder)[0] == 0
    assert convert(folder, folder, "--lenient")[0] == 0  # what was written there isn't read
    assert convert(folder, tmp_path / "glob", "--glob", "*.tsv")[0] == 0
    assert {p.name for p in (tmp_path / "glob").iterdir()} == {"train.spacy", "dev.spacy"}
    code, output = convert(folder, tmp_path / "out", "--glob", "*.xyz")
    assert code == 1
    assert "expected files that match *.xyz, got none" in output


def test_help_states_the_rule():
    result = CliRunner().invoke(app, ["hgn", "convert", "--help"])
    assert "begins a new one" in " ".join(result.output.split())


@pytest.mark.slow
def test_command_of_spacy(write, out):
    command = [sys.executable, "-m", "spacy", "hgn", "convert", str(write(TSV)), str(out)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(load(out)) == 2


def test_the_numbers_of_tokens_are_no_tokens(write, out):
    path = write("1\tNora\tB-PER\t-\tx\n2\tleft\tO\n\n1\tShe\tO\n2\tleft\tO\n", "a.iob2")
    code, output = convert(path, out, "--column", "3")
    assert code == 1
    assert "--token-column 2" in output
    assert not out.exists()
    code, output = convert(path, out, "--column", "3", "--token-column", "2")
    assert code == 0
    assert "token in column 2, tag in column 3" in output
    assert [token.text for doc in load(out) for token in doc] == ["Nora", "left", "She", "left"]


def test_comments_are_no_tokens(write, out):
    path = write("# id 9f2c domain=en\nnora _ _ B-PER\n\n# id 77aa domain=en\nshe _ _ O\n")
    for options in ((), ("--lenient",), ("--comments",)):
        code, output = convert(path, out, *options)
        assert code == 0
        assert "Comments, passed over: 2" in output
        assert [token.text for doc in load(out) for token in doc] == ["nora", "she"]


def test_what_prodigys_answers_do_is_said(write, out):
    accepted, rejected = ({"text": TEXT, "spans": SPANS, "answer": a} for a in ("accept", "reject"))
    path = write(to_lines(accepted, rejected), "a.jsonl")
    code, output = convert(path, out)
    assert code == 0
    assert "a.jsonl: prodigy" in output
    assert "Records rejected, left out: 1" in output
    assert "texts 1" in output
    assert convert(path, out, "--rejected", "wrong")[0] == 0
    assert [len(doc.spans.get("wrong", ())) for doc in load(out)] == [0, 2]
    assert convert(path, out, "--format", "jsonl")[0] == 1


def test_keys_that_are_not_known_can_be_passed_over(write, out):
    path = write(to_lines({"text": TEXT, "spans": SPANS, "a": 1, "b": 2}), "a.jsonl")
    code, output = convert(path, out)
    assert code == 1
    assert 'unknown key "a"' in output
    assert "--lenient" not in output
    assert convert(path, out, "--ignore", "a,b")[0] == 0


def test_errors_that_lenient_repairs_say_so(write, out):
    assert "--lenient repairs such lines" in convert(write("a\tB-X\nb\n"), out)[1]


def test_tag_names(write, out):
    path = write(to_lines({"tokens": ["Ada", "left"], "ner_tags": [1, 0]}))
    assert "--tag-names" in convert(path, out)[1]
    assert convert(path, out, "--tag-names", "O,B-PER")[0] == 0
    assert [entity.label_ for entity in load(out)[0].ents] == ["PER"]


def test_a_folder_of_brats(write, out):
    write("Ada left.", "in/one.txt")
    write("T1\tPER 0 3\tAda\n", "in/one.ann")
    folder = write("[entities]\nPER\n", "in/annotation.conf").parent
    code, output = convert(folder, out)
    assert code == 0, output
    assert "Skipped 1 files that aren't *.ann and *.txt" in output
    assert [entity.text for doc in load(out) for entity in doc.ents] == ["Ada"]
    write("Bo left.", "in/two.txt")
    code, output = convert(folder, out)
    assert code == 1
    assert "two.txt: expected two.ann beside it" in output


def test_gold_files_of_the_release_in_columns(write, out):
    write(SAMPLE, "in/own_0001.gold_conll")
    folder = write(SAMPLE.replace("Maria", "[WORD]"), "in/own_0001.gold_skel").parent
    code, output = convert(folder, out)
    assert code == 0, output
    assert "Skipped 1 files that aren't *gold_conll" in output
    assert len(load(out)) == 3


def test_a_large_corpus_is_a_folder_that_spacy_reads(write, out, monkeypatch, nlp):
    monkeypatch.setattr("spacy_hgn.corpora.docbin.TOKENS_A_FILE", 10)
    path = write("".join(f"w{i}\tB-X\nis\tO\nold\tO\n\n" for i in range(10)))
    code, output = convert(path, out)
    assert code == 0
    assert "sentences 10" in output
    assert [len(load(file)) for file in sorted(out.iterdir())] == [4, 4, 2]
    examples = list(Corpus(out)(nlp))
    assert [eg.reference[0].text for eg in examples] == [f"w{i}" for i in range(10)]
    assert [eg.reference.ents[0].label_ for eg in examples] == ["X"] * 10
    assert count(read_part(out, nlp).docs).sentences == 10
    assert convert(write(TSV), out)[0] == 0  # and is replaced by a file
    assert out.is_file()
    assert len(load(out)) == 2


def test_words_are_forgotten_while_a_corpus_is_converted(write, out, monkeypatch, nlp):
    monkeypatch.setattr("spacy_hgn.corpora.docbin.TOKENS_A_VOCAB", 10)
    path = write("".join(f"w{i}\tB-X\nis\tO\nold\tO\n\n" for i in range(10)))
    task, vocabs = Task(nlp), []

    def watch(docs):
        for doc in docs:
            vocabs.append(doc.vocab)
            yield doc

    with open_outputs(out) as outputs:
        outputs.write(watch(open_corpus(path, task).docs), out, task)
    assert ("w0" in vocabs[0].strings, "w0" in vocabs[-1].strings) == (True, False)
    assert len(set(map(id, vocabs))) == 3
    with open_outputs(out) as outputs:
        outputs.write(open_corpus(path, task).docs, out, task)
        outputs.move()
    assert [doc[0].text for doc in load(out)] == [f"w{i}" for i in range(10)]


def test_a_folder_with_other_things_in_it_is_not_replaced(write, out):
    write("notes", "out/corpus.spacy/notes.txt")
    code, output = convert(write(TSV), out)
    assert code == 1
    assert "expected a folder of .spacy files, got notes.txt" in output
    assert (out / "notes.txt").exists()


def test_nothing_is_left_behind(write, out, tmp_path):
    assert convert(write(TSV), out)[0] == 0
    assert convert(write("a\n", "b.tsv"), tmp_path / "b.spacy")[0] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.tsv", "b.tsv", "out"}
