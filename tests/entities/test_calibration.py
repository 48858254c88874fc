"""Calibration: the temperature, the error, the diagram, and the command that shows them."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy
import pytest
import spacy
from component.helpers import DATA, entities_of, make_examples, make_nlp, train_to_disk
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Corpus, Example
from typer.testing import CliRunner

from spacy_hgn.cli import hgn_cli
from spacy_hgn.entities.calibration import (
    COLDEST,
    HOTTEST,
    ScoresAt,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reason_to_keep,
    reliability,
)
from spacy_hgn.entities.calibration_callback import make_calibration
from spacy_hgn.entities.posteriors import temper
from spacy_hgn.entities.reliability_diagram import draw_reliability
from spacy_hgn.entities.scored_docs import calibrate, score_docs, scores_of


def softmax(logits: numpy.ndarray) -> numpy.ndarray:
    exp = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def random_scores(temperature: float, entities: int = 3000) -> tuple[ScoresAt, list[bool]]:
    """Scores of entities that are too sharp by the temperature, and which are right, drawn from the
    true ones."""
    random = numpy.random.default_rng(0)
    logits = random.normal(scale=2, size=entities)
    is_right = (random.random(entities) < sigmoid(logits)).tolist()
    return lambda t: sigmoid(logits * temperature / t).tolist(), is_right


def sigmoid(logits: numpy.ndarray) -> numpy.ndarray:
    return 1 / (1 + numpy.exp(-logits))


# The temperature


@pytest.mark.parametrize("temperature", [0.5, 1, 2, 5])
def test_tempering_divides_the_logits(temperature):
    logits = numpy.random.default_rng(0).normal(scale=3, size=(50, 7))
    found = temper(softmax(logits), temperature)
    numpy.testing.assert_allclose(found, softmax(logits / temperature), rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    assert fit_temperature(*random_scores(temperature)) == pytest.approx(temperature, rel=0.1)


def test_no_other_temperature_has_a_smaller_loss():
    scores_at, is_right = random_scores(2.5)
    least = log_loss(scores_at(fit_temperature(scores_at, is_right)), is_right)
    for other in numpy.geomspace(COLDEST, HOTTEST, 60):
        assert least <= log_loss(scores_at(other), is_right) + 1e-6


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(1e-6, 1 - 1e-6), st.booleans()), min_size=1, max_size=60))
def test_the_loss_is_that_of_a_plain_sum(pairs):
    expected = -sum(math.log(score if right else 1 - score) for score, right in pairs) / len(pairs)
    assert log_loss(*zip(*pairs)) == pytest.approx(expected)


@pytest.mark.parametrize("logits", [(2, 5), (6, 12), (10, 10), (35, 45)])
@pytest.mark.parametrize(("right", "bound"), [(True, COLDEST), (False, HOTTEST)])
def test_if_all_are_right_or_none_the_temperature_is_a_bound(logits, right, bound):
    logit = numpy.linspace(*logits, 80)
    found = fit_temperature(lambda t: sigmoid(logit / t).tolist(), [right] * 80)
    assert found == pytest.approx(bound)


def test_the_best_temperature_for_very_sure_scores_is_found():
    """Cold, all wrong ones have the greatest loss that there is, so that colder seems better."""
    logit, is_right = numpy.linspace(35, 45, 80), [i % 5 < 3 for i in range(80)]
    best = fit_temperature(lambda t: sigmoid(logit / t).tolist(), is_right)
    assert best == pytest.approx(HOTTEST)


def test_one_wrong_entity_at_a_score_of_1_has_a_finite_loss():
    assert log_loss([1.0, 0.0], [False, True]) == pytest.approx(16.1, abs=0.1)


def test_what_a_model_is_sure_of_outside_of_entities_changes_no_temperature(nlp, dev):
    """The tags of most tokens are O with good reason; scores of entities can be too high still."""
    component = nlp.get_pipe("hgn_ner")
    calibrate(component, score_docs(nlp, "hgn_ner", Corpus(dev)))
    expected = component.temperature

    def with_others(nlp: Language) -> Iterator[Example]:
        yield from Corpus(dev)(nlp)
        for _ in range(200):
            doc = nlp.make_doc("of of of of")
            doc.set_ents([], default="outside")
            yield Example(nlp.make_doc(doc.text), doc)

    assert not nlp("of of of of").ents
    calibrate(component, score_docs(nlp, "hgn_ner", with_others))
    assert expected != 1
    assert component.temperature == pytest.approx(expected, rel=0.01)


# The error


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_error_is_that_of_a_plain_count(pairs):
    expected = 0.0
    for i in range(10):
        inside = [(s, r) for s, r in pairs if i == min(int(s * 10), 9)]
        if inside:
            distance = sum(s for s, _ in inside) / len(inside) - sum(r for _, r in inside) / len(
                inside
            )
            expected += len(inside) / len(pairs) * abs(distance)
    bins = reliability([s for s, _ in pairs], [r for _, r in pairs])
    assert expected_calibration_error(bins) == pytest.approx(expected, abs=1e-12)
    assert sum(each.count for each in bins) == len(pairs)


def test_without_entities_there_is_no_error():
    assert reliability([], []) == []
    assert expected_calibration_error([]) == 0


def test_the_diagram_is_an_svg_with_a_point_a_bin():
    bins = reliability([0.05, 0.55, 0.95, 0.97], [False, True, True, False])
    drawn = draw_reliability({"before": bins, "after <1>": bins[:2]})
    root = ElementTree.fromstring(drawn)
    tag = "{http://www.w3.org/2000/svg}"
    points = [each for each in root.iter(f"{tag}circle") if each.find(f"{tag}title") is not None]
    assert len(points) == len(bins) + 2
    texts = [each.text or "" for each in root.iter(f"{tag}text")]
    assert any(text.startswith("before: ECE") for text in texts)
    assert any(text.startswith("after <1>: ECE") for text in texts)


# The pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that has seen a few texts a few times."""
    return train_to_disk(make_nlp(), tmp_path_factory.mktemp("pipeline"), steps=12)


@pytest.fixture
def nlp(folder: Path) -> Language:
    return spacy.load(folder)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts most of which the pipeline gets wrong, and is sure of."""
    wrong = [("Apple left Frankfurt.", [(11, 20, "GPE")]), ("Cook met Tim.", [])]
    data = [*DATA, *wrong * 3]
    path = tmp_path_factory.mktemp("dev") / "dev.spacy"
    examples = make_examples(spacy.blank("xx"), data)
    DocBin(docs=[example.reference for example in examples] * 8).to_disk(path)
    return path


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(hgn_cli, ["calibrate", *map(str, words)])
    return done.exit_code, done.output


def test_the_command_writes_a_calibrated_pipeline(folder, dev, tmp_path):
    out, report, diagram = tmp_path / "out", tmp_path / "a" / "r.json", tmp_path / "b" / "d.svg"
    status, output = run(
        folder, dev, "--test", dev, "-o", out, "--json", report, "--diagram", diagram
    )
    assert status == 0, output
    found = json.loads(report.read_text())
    before, after = spacy.load(folder), spacy.load(out)
    temperature = after.get_pipe("hgn_ner").temperature
    assert temperature != before.get_pipe("hgn_ner").temperature
    assert temperature == pytest.approx(found["temperature"]["after"])
    assert f"{temperature:.3f}" in output
    assert set(found["parts"]) == {"dev", "test"}
    for time in ("before", "after"):
        assert f"{found['parts']['dev'][time]['ece']:.4f}" in output
    again = spacy.blank("xx")
    again.add_pipe("hgn_ner", source=after)
    assert again.get_pipe("hgn_ner").temperature == temperature
    bytes_ = make_nlp().get_pipe("hgn_ner").from_bytes(after.get_pipe("hgn_ner").to_bytes())
    assert bytes_.temperature == temperature
    for text, _ in DATA:
        assert entities_of(after(text)) == entities_of(before(text))
    ElementTree.parse(diagram)


def test_the_report_is_of_the_scores_on_the_docs(nlp, dev):
    texts = score_docs(nlp, "hgn_ner", Corpus(dev))
    component = nlp.get_pipe("hgn_ner")
    component.temperature = 2.0
    scores, is_right = scores_of(component, texts, 2.0)
    expected_scores, expected_right = [], []
    for example in Corpus(dev)(nlp):
        gold = entities_of(example.reference)
        doc = nlp(example.reference.text)
        expected_scores += [ent._.score for ent in doc.ents]
        expected_right += [entity in gold for entity in entities_of(doc)]
    assert scores == pytest.approx(expected_scores, abs=1e-5)
    assert is_right == expected_right
    assert not all(is_right)


def test_missing_gold_counts_neither_way(nlp):
    def corpus(nlp: Language) -> list[Example]:
        gold = nlp.make_doc(DATA[0][0])
        known = gold.char_span(0, 8, "PERSON")
        gold.set_ents([known], missing=[gold[2:]])
        return [Example(nlp.make_doc(gold.text), gold)]

    assert len(nlp(DATA[0][0]).ents) > 1
    scores, is_right = scores_of(nlp.get_pipe("hgn_ner"), score_docs(nlp, "hgn_ner", corpus), 1.0)
    assert len(scores) == 1
    assert is_right == [True]


def test_the_callback_calibrates_before_the_pipeline_is_written(nlp, dev):
    calibrated = make_calibration(Corpus(dev))(nlp)
    assert calibrated is nlp
    assert nlp.get_pipe("hgn_ner").temperature != 1


def test_a_pipeline_that_stands_in_the_way_of_calibration_is_refused(folder, dev, tmp_path):
    status, output = run(folder, dev, "--component", "other")
    assert status == 1
    assert "other" in output
    DocBin(docs=[Doc(spacy.blank("xx").vocab)]).to_disk(tmp_path / "empty.spacy")
    status, output = run(folder, tmp_path / "empty.spacy")
    assert status == 1
    assert "expected texts in .spacy files, got none" in " ".join(output.split())


def write_docs(path: Path, docs: list[Doc]) -> Path:
    DocBin(docs=docs).to_disk(path)
    return path


def test_a_dev_part_without_entities_is_an_error(folder, tmp_path):
    doc = spacy.blank("xx").make_doc(DATA[0][0])
    doc.ents = []  # known to be none
    status, output = run(folder, write_docs(tmp_path / "none.spacy", [doc]))
    assert status == 1
    assert "Expected gold entities to calibrate by, got none" in output


def test_with_too_few_entities_scores_stay_as_they_are(folder, tmp_path):
    docs = [example.reference for example in make_examples(spacy.blank("xx"), DATA)]
    out = tmp_path / "out"
    status, output = run(folder, write_docs(tmp_path / "few.spacy", docs), "-o", out)
    assert status == 0, output
    assert "too few entities" in output
    assert spacy.load(out).get_pipe("hgn_ner").temperature == 1


def test_a_pipeline_that_is_there_is_written_over_by_force_alone(folder, dev, tmp_path):
    (tmp_path / "meta.json").write_text("{}")
    status, output = run(folder, dev, "-o", tmp_path)
    assert status == 1
    assert "--force overwrites it" in output
    assert (tmp_path / "meta.json").read_text() == "{}"
    assert run(folder, dev, "-o", tmp_path, "--force")[0] == 0
    assert spacy.load(tmp_path).pipe_names == spacy.load(folder).pipe_names


def test_a_folder_of_docbins_is_read_as_one(folder, dev, tmp_path):
    docs = list(DocBin().from_disk(dev).get_docs(spacy.blank("xx").vocab))
    (tmp_path / "dev").mkdir()
    write_docs(tmp_path / "dev" / "0000.spacy", docs[:9])
    write_docs(tmp_path / "dev" / "0001.spacy", docs[9:])
    told = [run(folder, path) for path in (dev, tmp_path / "dev")]
    assert told[0] == told[1]


@pytest.mark.parametrize("content", [b"", b"\x00" * 50])
def test_a_damaged_part_is_named(folder, tmp_path, content):
    path = tmp_path / "dev.spacy"
    path.write_bytes(content)
    status, output = run(folder, path)
    assert status == 1
    assert f"{path}: expected a .spacy file" in output


@pytest.mark.parametrize(
    ("temperature", "scores", "errors", "expected"),
    [
        (1.5, 50, (0.02, 0.05), None),
        (1.5, 49, (0.02, 0.05), "too few entities: 49"),
        (HOTTEST, 500, (0.02, 0.05), "best temperature, 20, is at the bound of the search"),
        (COLDEST, 500, (0.02, 0.05), "best temperature, 0.05, is at the bound of the search"),
        (1.5, 500, (0.06, 0.05), "would raise the calibration error from 0.0500 to 0.0600"),
    ],
)
def test_what_would_do_harm_is_left(temperature, scores, errors, expected):
    reason = reason_to_keep(temperature, scores, *errors)
    assert reason is None if expected is None else expected in reason
