"""``spacy hgn benchmark``: what it measures, tells and refuses."""

import json
from pathlib import Path

import numpy
import pytest
import spacy
import torch
from component.helpers import (
    DATA,
    make_examples,
    make_hero_nlp,
    make_nlp,
    train_to_disk,
)
from spacy.cli._util import app
from spacy.language import Language
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_hgn.backend import torch_shim
from spacy_hgn.backend.torch_shim import predicting_in
from spacy_hgn.cli.benchmark import benchmark, read_texts
from spacy_hgn.cli.measuring import Candidate, Measurement, models_of
from spacy_hgn.tagger.flat import shim_of

pytestmark = pytest.mark.slow

QUICK = ("--rounds", "1", "--batch-size", "2")
COLUMNS = "Tim\tB-PERSON\nCook\tI-PERSON\nlives\tO\n\nIt\tO\nrains\tO\n"
JSONL = json.dumps({"text": "Tim Cook lives", "entities": [[0, 8, "PERSON"]]})
CONLL2003 = "-DOCSTART- -X- -X- O\n\nTim NNP B-NP B-PERSON\nCook NNP I-NP I-PERSON\n"
CONLL2012 = """\
#begin document (nw/own/01/own_0102); part 000
nw/own/01/own_0102 0  0    Tim   NNP   (TOP(NP*     -  - -       -    (PERSON*      -
nw/own/01/own_0102 0  1    Cook  NNP        *))     -  - -       -           *)      -

#end document
"""


@pytest.fixture(scope="module")
def folder(tiny_bert: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained pipeline of a transformer in float32 and hgn_ner in "auto"."""
    folder = tmp_path_factory.mktemp("pipeline")
    return train_to_disk(make_hero_nlp(tiny_bert), folder, steps=60, learn_rate=0.003, drop=0.0)


@pytest.fixture(scope="module")
def gold(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pipeline was trained on, as a .spacy file."""
    path = tmp_path_factory.mktemp("gold") / "gold.spacy"
    DocBin(docs=[example.reference for example in make_examples(spacy.blank("xx"))]).to_disk(path)
    return path


@pytest.fixture
def nlp(folder: Path) -> Language:
    return spacy.load(folder)


@pytest.fixture
def write(tmp_path: Path):
    def write_file(content, name):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write_file


def run(*args):
    """The exit code, what is printed as one line, and the results as written."""
    output = Path(args[1]).with_name("results.json")
    output.unlink(missing_ok=True)
    result = CliRunner().invoke(app, ["hgn", "benchmark", *map(str, args), "-o", str(output)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    report = json.loads(output.read_text("utf-8")) if output.exists() else None
    return result.exit_code, " ".join(result.output.split()), report


def shims_of(nlp):
    """All shims over torch modules."""
    nodes = [node for model in models_of(nlp).values() for node in model.walk()]
    return [shim for node in nodes for shim in node.shims]


def test_every_precision_is_measured_with_every_batch_size(folder, gold):
    code, output, report = run(folder, gold, "-r", 2, "-b", 3, "-b", 1, "-b", 3)
    assert code == 0, output
    rows = report["results"]
    assert [(row["precision"], row["batch_size"]) for row in rows] == [
        ("float32", 1),
        ("float32", 3),
        ("bfloat16", 1),
        ("bfloat16", 3),
    ]
    for row in rows:
        assert len(row["rounds"]) == 2
        assert row["words_per_second"] == pytest.approx(numpy.median(row["rounds"]))
        assert 0 < row["interval"][0] <= row["interval"][1]
    assert report["pipeline"] == str(folder)
    assert report["components"] == {"transformer": "float32", "hgn_ner": "auto"}
    assert report["n_texts"] == len(DATA)
    assert report["n_words"] == sum(len(spacy.blank("xx")(text)) for text, _ in DATA)
    assert report["machine"]["torch"] == torch.__version__


def test_the_table_marks_the_fastest(folder, gold):
    _, output, report = run(folder, gold, *QUICK)
    best = max(report["results"], key=lambda row: row["words_per_second"])
    speed = f"{best['words_per_second']:,.0f}"
    assert f"Best: {best['precision']} in batches of 2, {speed} words a second" in output
    table = output[output.index("precision batch size") : output.index("Best:")]
    before_mark = table[: table.index(" best")]
    assert before_mark.rindex(speed) > before_mark.rindex(best["precision"])


def test_defaults_are_both_precisions_and_three_batch_sizes(folder, gold):
    _, output, report = run(folder, gold)
    assert len(report["results"]) == 6
    assert {row["batch_size"] for row in report["results"]} == {32, 128, 512}
    assert {len(row["rounds"]) for row in report["results"]} == {3}
    assert "There are only 4 texts: larger batches aren't full" in output


def test_precision_recall_and_f1_against_gold(folder, gold):
    _, output, report = run(folder, gold, *QUICK, "-p", "float32")
    [row] = report["results"]
    assert (row["ents_p"], row["ents_r"], row["ents_f"]) == (1.0, 1.0, 1.0)
    assert "7 entities as gold" in output
    assert "100.00 100.00 100.00" in output


def test_gold_entities_are_kept_from_the_pipeline(folder, tmp_path):
    """hgn_ner keeps entities that are on a Doc: any that got there would count as found."""
    example = make_examples(spacy.blank("xx"), [("It rains.", [(3, 8, "PERSON")])])[0]
    path = tmp_path / "wrong.spacy"
    DocBin(docs=[example.reference]).to_disk(path)
    _, _, report = run(folder, path, *QUICK)
    assert [row["ents_f"] for row in report["results"]] == [0.0, 0.0]


def test_modules_compute_in_the_precision_that_is_measured(nlp, gold):
    in_bfloat16: dict[str, set[bool]] = {}

    def look(module, args, output):
        computes = torch.is_autocast_enabled("cpu")
        in_bfloat16.setdefault(type(module).__name__, set()).add(computes)

    for shim in shims_of(nlp):
        shim._model.register_forward_hook(look)
    shim_of(nlp.get_pipe("hgn_ner").model.get_ref("flat"))._model.classifier.register_forward_hook(
        look
    )
    corpus = read_texts(gold, nlp)
    benchmark(nlp, corpus, ["float32"], [2], rounds=1)
    assert in_bfloat16 == {"BertModel": {False}, "HeroGang": {False}, "Linear": {False}}
    in_bfloat16.clear()
    benchmark(nlp, corpus, ["bfloat16"], [2], rounds=1)  # the classifier never is, in any config
    assert in_bfloat16 == {"BertModel": {True}, "HeroGang": {True}, "Linear": {False}}


def test_the_pipeline_keeps_its_own_precision(nlp, gold):
    before = [shim.precision for shim in shims_of(nlp)]
    assert set(before) == {"float32", "auto"}
    benchmark(nlp, read_texts(gold, nlp), ["bfloat16"], [2], rounds=1)
    assert [shim.precision for shim in shims_of(nlp)] == before
    with pytest.raises(ZeroDivisionError), predicting_in("bfloat16", models_of(nlp).values()):
        _ = 1 / 0
    assert [shim.precision for shim in shims_of(nlp)] == before


def test_a_precision_that_does_not_exist(nlp, gold):
    with pytest.raises(ValueError, match="Unknown precision: expected one of"):
        benchmark(nlp, read_texts(gold, nlp), ["half"], [2], rounds=1)


def test_texts_whose_entities_bfloat16_changes_are_counted(nlp, gold):
    hero = next(shim._model for shim in shims_of(nlp) if shim.part == "hero")

    def blur(module, args, output):
        if torch.is_autocast_enabled("cpu"):
            output["last_hidden_state"].zero_()

    hero.register_forward_hook(blur)
    report = benchmark(nlp, read_texts(gold, nlp), ["bfloat16", "float32"], [2], rounds=1)
    rough, exact = report["results"]
    assert exact["n_changed"] == 0
    assert rough["n_changed"] > 0
    assert rough["ents_f"] < exact["ents_f"]


def test_without_float32_there_is_nothing_to_compare_with(folder, gold):
    _, output, report = run(folder, gold, *QUICK, "-p", "bfloat16")
    [row] = report["results"]
    assert "n_changed" not in row
    assert "changed" not in output


@pytest.mark.parametrize(
    ("content", "name", "n_texts", "read_as"),
    [
        (COLUMNS, "a.tsv", 2, "columns"),
        (CONLL2003, "a.testa", 1, "conll2003"),
        (CONLL2012, "a_gold_conll", 1, "conll2012"),
        (JSONL, "a.jsonl", 1, "jsonl"),
        (JSONL, "a.txt", 1, "jsonl"),
        (CONLL2003, "a.txt", 1, "conll2003"),
    ],
)
def test_corpora_of_all_formats_are_read_with_their_gold(
    folder, write, content, name, n_texts, read_as
):
    code, output, report = run(folder, write(content, name), *QUICK)
    assert code == 0, output
    assert (report["n_texts"], report["n_entities"]) == (n_texts, 1)
    assert report["read_as"].startswith(read_as)
    assert all("ents_f" in row for row in report["results"])


def test_plain_text_has_a_text_a_line_and_no_gold(folder, write):
    path = write("Tim Cook lives in Zürich.\r\n\r\nIt rains.\r\n", "a.txt")
    _, output, report = run(folder, path, *QUICK)
    assert (report["n_texts"], report["n_words"], report["n_entities"]) == (2, 9, 0)
    assert "no gold; read as a text a line" in output
    assert "F1" not in output
    assert all("ents_f" not in row for row in report["results"])


def test_a_spacy_file_without_entities_is_no_gold(folder, tmp_path):
    nlp = spacy.blank("xx")
    path = tmp_path / "plain.spacy"
    DocBin(docs=[nlp("Tim Cook lives"), nlp("")]).to_disk(path)
    _, output, report = run(folder, path, *QUICK)
    assert (report["n_texts"], report["n_words"]) == (1, 3)
    assert "F1" not in output


def test_limit_takes_the_first_texts(folder, gold):
    _, _, report = run(folder, gold, *QUICK, "--limit", 1)
    assert (report["n_texts"], report["n_entities"]) == (1, len(DATA[0][1]))


def test_threads(folder, gold):
    before = torch.get_num_threads()
    try:
        _, output, report = run(folder, gold, *QUICK, "--threads", 2)
    finally:
        torch.set_num_threads(before)
    assert report["machine"]["threads"] == 2
    assert "threads: 2" in output


@pytest.mark.parametrize(("is_fast", "auto"), [(True, "bfloat16"), (False, "float32")])
def test_tells_what_auto_chooses_and_warns_of_slow_bfloat16(
    folder, gold, monkeypatch, is_fast, auto
):
    monkeypatch.setattr(torch_shim, "has_fast_bfloat16", lambda device: is_fast)
    _, output, report = run(folder, gold, *QUICK)
    assert report["auto"] == auto
    assert f'Precision "auto" is {auto} here' in output
    assert ("This device has no instructions for bfloat16" in output) != is_fast
    _, output, _ = run(folder, gold, *QUICK, "-p", "float32")
    assert "no instructions" not in output


def test_tells_of_types_that_the_pipeline_does_not_know(folder, write):
    _, output, _ = run(folder, write("a\tB-DRUG\nb\tB-PERSON\n", "a.tsv"), *QUICK)
    assert "Types in the gold standard that hgn_ner doesn't know: DRUG" in output


def test_hgn_ner_may_have_another_name_and_no_precision(tmp_path, gold):
    nlp = make_nlp({"windows": []})
    nlp.rename_pipe("hgn_ner", "names")
    nlp.initialize(lambda: make_examples(nlp))
    nlp.to_disk(tmp_path / "names")
    code, output, _ = run(tmp_path / "names", gold, *QUICK)
    assert code == 0, output
    assert "names has no setting for precision" in output


def test_a_pipeline_that_is_nowhere(gold):
    code, output, _ = run("xx_nowhere", gold)
    assert code == 1
    assert "Can't benchmark" in output
    assert "Can't find model 'xx_nowhere'" in output


def test_a_pipeline_without_hgn_ner_is_told_by_its_components(nlp, tmp_path, gold):
    nlp.add_pipe("sentencizer")
    nlp.disable_pipe("hgn_ner")
    nlp.to_disk(tmp_path / "other")
    code, output, _ = run(tmp_path / "other", gold)
    assert code == 1
    assert "expected a pipeline with hgn_ner, got one with the components: transformer, " in output
    assert "sentencizer (disabled: hgn_ner)" in output
    assert "components: none." in run("blank:en", gold)[1]


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        ("\n \n", "a.txt", "a.txt: expected texts, got none"),
        ("\n\n", "a.tsv", "a.tsv: expected sentences, got none"),
        (DocBin().to_bytes(), "a.spacy", "a.spacy: expected texts, got none"),
        ("Tim", "a.spacy", "a.spacy: expected a .spacy file, got an error"),
        (b"Tim\nZ\xfcrich\n", "a.txt", "a.txt:2: expected UTF-8, got byte 0xfc"),
        ("a\tB-X\nb\n", "a.tsv", "a.tsv:2: "),
    ],
)
def test_texts_that_cannot_be_read(folder, write, content, name, problem):
    code, output, report = run(folder, write(content, name))
    assert code == 1
    assert "Can't benchmark" in output
    assert problem in output
    assert report is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("-p", "float16"), "'float32', 'bfloat16'"),
        (("-b", "0"), "--batch-size"),
        (("-r", "0"), "--rounds"),
        (("-n", "0"), "--limit"),
        (("-t", "0"), "--threads"),
    ],
)
def test_unknown_options(folder, gold, options, problem):
    code, output, _ = run(folder, gold, *options)
    assert code == 2
    assert problem in output


def test_a_missing_file(folder, tmp_path):
    code, output, _ = run(folder, tmp_path / "missing.spacy")
    assert code == 2
    assert "does not exist" in output


def result(words, seconds):
    return Measurement(Candidate("float32", 1), numpy.array(words), numpy.array(seconds), [], {})


def test_speed_is_the_median_of_the_rounds_and_inside_its_interval():
    found = result([10, 30], [[1.0, 3.0], [2.0, 6.0], [4.0, 12.0]])
    assert found.by_round.tolist() == [10.0, 5.0, 2.5]
    assert found.speed == 5.0
    assert found.interval() == (2.5, 10.0)
    assert result([10], [[1.0]]).interval() is None
