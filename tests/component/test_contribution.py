"""How much the Gang says: the share of the windows, and F1 when they are silenced."""

import numpy
import pytest
import spacy
import srsly
import torch
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.explain.contribution import Contribution, measure_contribution
from spacy_hgn.tagger.flat import shim_of

from .helpers import TEXTS, make_examples, make_hero_nlp, make_nlp, train

pytestmark = pytest.mark.slow


def module_of(nlp):
    return shim_of(nlp.get_pipe("hgn_ner").model.get_ref("flat"))._model


def make_trained(fusion="dot", **model):
    nlp = make_nlp({"fusion": fusion, **model})
    train(nlp)
    return nlp


def f1_of(nlp):
    examples = make_examples(nlp)
    return lambda: nlp.evaluate(examples)["ents_f"]


@pytest.mark.parametrize("fusion", ["dot", "add", "concat", "mlp"])
def test_the_share_is_the_mean_of_what_explain_says(fusion):
    nlp = make_trained(fusion)
    found = measure_contribution(nlp, f1_of(nlp))
    ner = nlp.get_pipe("hgn_ner")
    examples = make_examples(nlp)
    shares = [ner.explain(example.reference.copy()).shares for example in examples]
    assert found.share == pytest.approx(numpy.concatenate(shares).mean(), abs=1e-3)
    assert found.f1 == 1.0


def test_edges_do_not_count(tiny_bert):
    nlp = make_hero_nlp(tiny_bert, edges=True)
    train(nlp, steps=5)
    found = measure_contribution(nlp, f1_of(nlp))
    ner, hero = nlp.get_pipe("hgn_ner"), nlp.get_pipe("transformer")
    shares = [ner.explain(hero(example.reference.copy())).shares for example in make_examples(nlp)]
    assert found.share == pytest.approx(numpy.concatenate(shares).mean(), abs=1e-3)


def test_of_a_committee_it_is_the_mean(tiny_bert):
    nlp = make_hero_nlp(tiny_bert, members=2, precision="float32")
    train(nlp, steps=5)
    found = measure_contribution(nlp, f1_of(nlp))
    ner, hero = nlp.get_pipe("hgn_ner"), nlp.get_pipe("transformer")
    shares = [ner.explain(hero(example.reference.copy())).shares for example in make_examples(nlp)]
    assert found.share == pytest.approx(numpy.concatenate(shares).mean(), abs=1e-3)
    assert 0 <= found.silenced <= 1


def test_other_components_and_nothing_to_measure_on_are_refused():
    nlp = make_trained()
    nlp.add_pipe("sentencizer")
    for name in ("sentencizer", "nosuch"):
        with pytest.raises(
            ValueError, match=f"a component hgn_ner, got '{name}'; there are hgn_ner"
        ):
            measure_contribution(nlp, f1_of(nlp), name)
    with pytest.raises(ValueError, match="texts with tokens"):
        measure_contribution(nlp, lambda: len(list(nlp.pipe([""]))))


def test_silenced_windows_are_zeros():
    nlp = make_trained("add")
    found = measure_contribution(nlp, f1_of(nlp))
    module = module_of(nlp)
    with torch.no_grad():
        for weights in module.gang.parameters():
            weights.zero_()  # an LSTM without weights says 0
    assert nlp.evaluate(make_examples(nlp))["ents_f"] == pytest.approx(found.silenced)


def test_afterwards_the_pipeline_is_as_before():
    nlp = make_trained()
    before = [ent.text for doc in nlp.pipe(TEXTS) for ent in doc.ents]
    with pytest.raises(RuntimeError, match="broken"):
        measure_contribution(nlp, lambda: (_ for _ in ()).throw(RuntimeError("broken")))
    measure_contribution(nlp, f1_of(nlp))
    assert module_of(nlp).recorded is None
    assert not module_of(nlp).is_silenced
    assert [ent.text for doc in nlp.pipe(TEXTS) for ent in doc.ents] == before


def test_without_windows_there_is_nothing_to_measure():
    nlp = make_trained(windows=[])
    assert measure_contribution(nlp, f1_of(nlp)) is None


def test_windows_that_say_nothing_are_a_warning_with_a_remedy():
    warning = Contribution(share=0.0004, f1=0.5, silenced=0.5).warning
    assert "almost nothing: 0.04% of a token's vector" in warning
    assert "windows = []" in warning
    assert Contribution(share=0.4, f1=0.5, silenced=0.1).warning is None


@pytest.fixture
def gold(tmp_path):
    docs = [example.reference for example in make_examples(spacy.blank("xx"))]
    DocBin(docs=docs).to_disk(tmp_path / "dev.spacy")
    return tmp_path / "dev.spacy"


def run(*arguments):
    result = CliRunner().invoke(app, ["hgn", "contribution", *map(str, arguments)])
    return result.exit_code, result.output


def test_the_command_shows_and_writes_it(gold, tmp_path):
    nlp = make_trained()
    nlp.to_disk(tmp_path / "model")
    code, output = run(tmp_path / "model", gold, "--json", tmp_path / "out" / "c.json")
    assert code == 0, output
    assert "F1, windows silenced" in output
    written = srsly.read_json(tmp_path / "out" / "c.json")["contribution"]
    assert written["f1"] == 1.0
    assert f"{written['share']:.1%}" in output


def test_the_command_warns(gold, tmp_path):
    nlp = make_trained("add")
    with torch.no_grad():
        for weights in module_of(nlp).gang.parameters():
            weights.zero_()
    nlp.to_disk(tmp_path / "model")
    code, output = run(tmp_path / "model", gold)
    assert code == 0
    assert "The windows contribute almost nothing" in " ".join(output.split())


def test_the_command_knows_pipelines_without_windows(gold, tmp_path):
    make_trained(windows=[]).to_disk(tmp_path / "model")
    code, output = run(tmp_path / "model", gold, "--json", tmp_path / "c.json")
    assert code == 0
    assert "has no windows" in output
    assert srsly.read_json(tmp_path / "c.json")["contribution"] is None
