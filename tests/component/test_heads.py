"""Many heads over one frozen Hero: taken out of their pipelines, stored, and attached."""

from pathlib import Path

import pytest
import spacy
import torch
from spacy.cli._util import app
from spacy.cli.package import package
from spacy.language import Language
from spacy.tokens import Doc
from thinc.api import fix_random_seed
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn import attach
from spacy_hgn.backend.optimizer import AdamW
from spacy_hgn.heads import take_head
from spacy_hgn.util.cfg import cfg_from_bytes, cfg_to_bytes

from .helpers import (
    DATA,
    TEXTS,
    assert_finds,
    entities_of,
    keep_training,
    make_examples,
    make_hero_nlp,
    train,
    transformer_config,
)

PARTS = {"people": {"PERSON", "ORG"}, "places": {"GPE"}}
"""The labels that each head learns."""

CLEANER = {"attrs": {"tensor": None, "_.trf_data": None}}


def data_of(labels):
    return [(text, [ent for ent in ents if ent[2] in labels]) for text, ents in DATA]


WHOLE_NAMES = [
    (text, [(0, min(end for _, end, _ in ents), "NAME")] if ents else []) for text, ents in DATA
]
"""From the beginning of the text to the end of its first entity."""


def make_frozen_nlp(hero, name="hgn_ner", hero_name="transformer", **settings) -> Language:
    """A pipeline of a frozen Hero, hgn_ner and doc_cleaner."""
    nlp = spacy.blank("xx")
    model = transformer_config(hero)["model"]
    model |= {"@architectures": "spacy-hgn.FrozenTransformer.v1", **settings}
    nlp.add_pipe("transformer", name=hero_name, config={"model": model})
    nlp.add_pipe("hgn_ner", name=name, config={"model": {"windows": [1, 3], "normalize": True}})
    nlp.add_pipe("doc_cleaner", config=CLEANER)
    return nlp


def train_head(hero, folder, data, **settings) -> Path:
    """The folder of a trained pipeline over a frozen Hero."""
    fix_random_seed(0)
    nlp = make_frozen_nlp(hero, **settings)
    examples = make_examples(nlp, data)
    nlp.initialize(lambda: examples)
    keep_training(nlp, examples, AdamW(0.01), 60)
    nlp.to_disk(folder)
    return folder


@pytest.fixture(scope="session")
def wholes(tiny_bert, tmp_path_factory) -> dict[str, Path]:
    """Pipelines with the same Hero, each trained by itself."""
    folder = tmp_path_factory.mktemp("wholes")
    found = {
        name: train_head(tiny_bert, folder / name, data_of(labels))
        for name, labels in PARTS.items()
    }
    return {**found, "names": train_head(tiny_bert, folder / "names", WHOLE_NAMES)}


@pytest.fixture(scope="session")
def heads(wholes, tmp_path_factory) -> dict[str, Path]:
    """Their heads."""
    folder = tmp_path_factory.mktemp("heads")
    for name, whole in wholes.items():
        take_head(spacy.load(whole)).to_disk(folder / name)
    return {name: folder / name for name in wholes}


@pytest.fixture
def nlp(wholes) -> Language:
    """A pipeline of the Hero alone."""
    nlp = spacy.load(wholes["people"])
    nlp.remove_pipe("hgn_ner")
    return nlp


@pytest.fixture
def both(nlp, heads) -> Language:
    """A pipeline of the Hero and two heads."""
    for name in PARTS:
        attach(nlp, heads[name], name=name)
    return nlp


def change_weights(nlp):
    """Another Hero of the same make."""
    hero = nlp.get_pipe("transformer").model
    with torch.no_grad():
        next(hero.shim._model.parameters()).add_(0.01)
    hero.forget()


def spans_of(nlp, name, texts=TEXTS):
    return [
        [(span.start_char, span.end_char, span.label_) for span in doc.spans[name]]
        for doc in nlp.pipe(texts)
    ]


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# What heads find


def test_heads_find_what_their_own_pipelines_find(both, wholes):
    assert both.pipe_names == ["transformer", *PARTS, "doc_cleaner"]
    assert_finds(both)
    for name in PARTS:
        alone = spacy.load(wholes[name])
        assert_finds(alone, data_of(PARTS[name]))
        docs = zip(both.pipe(TEXTS), alone.pipe(TEXTS))
        for of_both, own in docs:
            found, expected = of_both.spans[name], own.spans["hgn_ner"]
            assert [(s.text, s.label_) for s in found] == [(s.text, s.label_) for s in expected]
            scores = [[span._.score for span in spans] for spans in (found, expected)]
            assert scores[0] == pytest.approx(scores[1], abs=1e-5)


def test_a_pipeline_of_heads_is_stored_whole(both, tmp_path):
    both.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert loaded.pipe_names == both.pipe_names
    assert loaded.get_pipe("transformer").listening_components == [*PARTS]
    assert_finds(loaded)
    assert_finds(spacy.blank("xx").from_config(both.config).from_bytes(both.to_bytes()))


def test_in_several_processes(both):
    assert [entities_of(doc) for doc in both.pipe(TEXTS, n_process=2, batch_size=1)] == [
        ents for _, ents in DATA
    ]


def test_a_head_is_small(wholes, heads):
    hero = size_of(wholes["people"] / "transformer")
    head = size_of(heads["people"])
    assert head < size_of(wholes["people"]) - hero
    assert not (heads["people"] / "transformer").exists()
    strings = (heads["people"] / "vocab" / "strings.json").read_text()
    assert "Cupertino" not in strings  # the texts that it was trained on stay at home


def test_the_first_heads_entities_are_kept(nlp, heads):
    for name in ("people", "names"):
        attach(nlp, heads[name], name=name)
    (doc,) = nlp.pipe(TEXTS[:1])
    assert {ent.label_ for ent in doc.ents} == {"PERSON", "ORG"}
    assert len(doc.spans["names"]) == 0


def test_overlapping_entities_are_in_the_spans(nlp, heads, tmp_path):
    attach(nlp, heads["people"], name="people")
    attach(nlp, heads["names"], name="names", config={"overlap": True})
    nlp.to_disk(tmp_path)
    for each in (nlp, spacy.load(tmp_path)):
        assert spans_of(each, "people") == [ents for _, ents in data_of(PARTS["people"])]
        assert spans_of(each, "names") == [ents for _, ents in WHOLE_NAMES]
        docs = list(each.pipe(TEXTS))
        assert {ent.label_ for ent in docs[0].ents} == {"PERSON", "ORG"}
        assert {ent.label_ for ent in docs[3].ents} == {"ORG"}
        assert all(span._.score > 0.5 for doc in docs for span in doc.spans["names"])


def test_overlap_a_second_time_changes_nothing(wholes):
    nlp = spacy.load(
        wholes["names"],
        config={"components": {"hgn_ner": {"overlap": True}}},
        exclude=["doc_cleaner"],
    )
    doc = nlp(TEXTS[0])
    once = entities_of(doc), [span.text for span in doc.spans["hgn_ner"]]
    again = nlp.get_pipe("hgn_ner")(doc)
    assert (entities_of(again), [span.text for span in again.spans["hgn_ner"]]) == once
    assert nlp.get_pipe("hgn_ner").explain(doc).entities


def test_overlap_leaves_blocked_tokens(wholes):
    nlp = spacy.load(wholes["names"], config={"components": {"hgn_ner": {"overlap": True}}})
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([], blocked=[doc[1:2]], default="missing")
    assert not any(1 in range(span.start, span.end) for span in nlp(doc).spans["hgn_ner"])
    assert doc[1].ent_iob_ == "B"


# Where they come


def test_a_head_may_come_between(both, heads):
    attach(both, heads["names"], name="names", before="places")
    assert both.pipe_names == ["transformer", "people", "names", "places", "doc_cleaner"]
    attach(both, heads["names"], name="last", after="places")
    assert both.pipe_names[-2:] == ["last", "doc_cleaner"]
    both.remove_pipe("doc_cleaner")
    attach(both, heads["names"], name="end")
    assert both.pipe_names[-1] == "end"
    both(TEXTS[0])


@pytest.mark.parametrize("place", [{"before": "transformer"}, {"after": "doc_cleaner"}])
def test_a_head_must_be_where_vectors_are(place, nlp, heads):
    with pytest.raises(ValueError, match="must come after its Hero, 'transformer', and before"):
        attach(nlp, heads["people"], **place)
    assert nlp.pipe_names == ["transformer", "doc_cleaner"]


def test_the_hero_may_have_another_name_and_company(tiny_bert, wholes, heads):
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", name="hero", source=spacy.load(wholes["people"]))
    nlp.add_pipe("transformer", name="other", config=transformer_config(tiny_bert))
    nlp.get_pipe("other").model.initialize()
    attach(nlp, heads["people"], name="people")
    assert nlp.pipe_names == ["hero", "people", "other"]
    assert nlp.get_pipe("hero").listening_components == ["people"]
    assert nlp.get_pipe_config("people")["model"]["tok2vec"]["upstream"] == "hero"
    assert_finds(nlp, data_of(PARTS["people"]))


def test_a_head_is_copied(nlp, heads):
    head = spacy.load(heads["people"])
    for name in ("one", "two"):
        attach(nlp, head, name=name)
    assert head.get_pipe("hgn_ner").name == "hgn_ner"
    assert len({id(pipe) for _, pipe in (*nlp.components, *head.components)}) == 5
    assert nlp.get_pipe("one").vocab is nlp.vocab


def test_a_whole_pipeline_has_a_head_too(nlp, wholes):
    attach(nlp, wholes["places"])
    assert_finds(nlp, data_of(PARTS["places"]))


# Refusals


def test_a_head_without_its_hero(heads):
    nlp = spacy.load(heads["people"])
    assert nlp.pipe_names == ["hgn_ner"]
    with pytest.raises(ValueError, match=r"has none: 'Tim.*spacy_hgn\.attach\(nlp, head\) puts it"):
        nlp(TEXTS[0])
    assert nlp("").ents == ()


def refused(nlp, head, match):
    before = nlp.pipe_names
    with pytest.raises(ValueError, match=match):
        attach(nlp, head, name="new")
    assert nlp.pipe_names == before


def test_other_weights(both, heads):
    assert_finds(both)
    change_weights(both)
    refused(both, heads["names"], r"new|hgn_ner was trained over another .*fingerprint: expected")
    with pytest.raises(ValueError, match=r"people was trained over another frozen Hero"):
        both(TEXTS[0])


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"layers": "last"}, r"layers: expected \[0, 1, 2\], got \[2\]\)"),
        ({"pooling": "mean"}, r"pooling: expected first, got mean\)"),
    ],
)
def test_other_vectors_of_the_same_weights(setting, match, tiny_bert, heads):
    nlp = make_frozen_nlp(tiny_bert, **setting)
    train(nlp, steps=0)
    refused(nlp, heads["people"], match)


def test_no_transformer_or_one_that_is_trained(tiny_nlp, heads):
    refused(spacy.blank("xx"), heads["people"], r"the pipeline has none: \[\]")
    refused(tiny_nlp, heads["people"], r"the pipeline has none: \['transformer', 'hgn_ner'\]")


def test_a_hero_that_is_disabled_or_has_no_weights(nlp, tiny_bert, heads):
    refused(make_frozen_nlp(tiny_bert), heads["people"], r"has no weights yet.*nlp.initialize\(\)")
    nlp.disable_pipe("transformer")
    refused(nlp, heads["people"], r"\(disabled: transformer\). Expected an enabled transformer")


def test_a_component_with_a_hero_of_its_own_is_no_head(both):
    both.replace_listeners("transformer", "people", ["model.tok2vec"])
    with pytest.raises(ValueError, match="people has a Hero of its own since"):
        take_head(both, "people")


def test_settings_of_the_model(nlp, heads):
    attach(nlp, heads["people"], config={"threshold": 0.1, "model": {"precision": "float32"}})
    settings = nlp.config["components"]["hgn_ner"]
    assert (settings["threshold"], settings["model"]["precision"]) == (0.1, "float32")
    assert settings["model"]["windows"] == [1, 3]
    assert_finds(nlp, data_of(PARTS["people"]))


def test_errors_name_the_head(both):
    with pytest.raises(ValueError, match=r"^places reads the vectors of the component"):
        both.get_pipe("places").predict([both.make_doc(TEXTS[0])])


def test_a_component_over_a_trained_hero_is_no_head(nlp, tiny_nlp):
    refused(nlp, tiny_nlp, "wasn't trained over a frozen Hero")
    with pytest.raises(ValueError, match="init config --frozen"):
        take_head(tiny_nlp)


def test_names(both, heads):
    with pytest.raises(ValueError, match="E007"):
        attach(both, heads["places"], name="people")
    with pytest.raises(ValueError, match="with one hgn_ner, got people, places among"):
        take_head(both)
    with pytest.raises(ValueError, match=r"one of \['people', 'places'\], got 'transformer'"):
        take_head(both, "transformer")
    assert take_head(both, "people").pipe_names == ["people"]


# spaCy's own ways


def test_add_pipe_and_a_config_work_over_the_same_hero(nlp, wholes, heads):
    nlp.add_pipe("hgn_ner", name="places", source=spacy.load(heads["places"]), after="transformer")
    assert_finds(nlp, data_of(PARTS["places"]))
    sources = {
        "transformer": {"source": str(wholes["places"])},
        "people": {"source": str(heads["people"]), "component": "hgn_ner"},
        "places": {"source": str(heads["places"]), "component": "hgn_ner"},
    }
    config = {"nlp": {"lang": "xx", "pipeline": [*sources]}, "components": sources}
    assert_finds(spacy.blank("xx").from_config(config))


def test_add_pipe_over_another_hero_is_refused_at_the_first_text(nlp, wholes, heads, tiny_nlp):
    change_weights(nlp)
    for folder in (heads["places"], wholes["places"]):
        name = f"places{len(nlp.pipe_names)}"
        nlp.add_pipe("hgn_ner", name=name, source=spacy.load(folder), after="transformer")
        with pytest.raises(ValueError, match=rf"{name} was trained over another frozen Hero"):
            nlp(TEXTS[0])
    tiny_nlp.add_pipe("hgn_ner", name="places", source=spacy.load(heads["places"]))
    with pytest.raises(ValueError, match="come from another transformer"):
        tiny_nlp(TEXTS[0])


def test_training_goes_on_over_the_same_hero_alone(both, heads):
    examples = make_examples(both)
    settings = {"annotates": ["transformer"], "exclude": ["transformer"]}
    losses = {}
    both.update(examples, sgd=AdamW(0.001), losses=losses, **settings)
    assert set(losses) == {"people", "places"}
    change_weights(both)
    with pytest.raises(ValueError, match="people was trained over another frozen Hero"):
        both.update(examples, sgd=AdamW(0.001), **settings)


def test_a_training_anew_is_over_the_hero_that_is_there(nlp, heads):
    change_weights(nlp)
    nlp.add_pipe("hgn_ner", source=spacy.load(heads["people"]), after="transformer")
    examples = make_examples(nlp)
    nlp.get_pipe("hgn_ner").initialize(lambda: [*examples_read(nlp, examples)], nlp=nlp)
    keep_training(nlp, examples, AdamW(0.01), 2, annotates=["transformer"])
    nlp(TEXTS[0])


def examples_read(nlp, examples):
    """Examples whose texts the Hero has read."""
    for example in examples:
        nlp.get_pipe("transformer")(example.predicted)
        yield example


def test_stored_vectors_are_refused(wholes):
    nlp = spacy.load(wholes["people"])
    (doc,) = nlp.pipe(TEXTS[:1], disable=["hgn_ner", "doc_cleaner"])
    with pytest.raises(ValueError, match="or from a stored Doc"):
        nlp.get_pipe("hgn_ner")(Doc(nlp.vocab).from_bytes(doc.to_bytes()))


# Folders


def test_folders_of_older_releases(wholes, nlp, tmp_path):
    old = spacy.load(wholes["people"])
    old.to_disk(tmp_path)
    cfg = tmp_path / "hgn_ner" / "cfg"
    stored = cfg_from_bytes(cfg.read_bytes(), "cfg")
    assert set(stored.pop("hero")) == {"fingerprint", "layers", "pooling"}
    cfg.write_bytes(cfg_to_bytes(stored))
    old = spacy.load(tmp_path)
    assert_finds(old, data_of(PARTS["people"]))
    assert old.get_pipe("hgn_ner").trained_over is None
    attach(nlp, take_head(old))
    assert_finds(nlp, data_of(PARTS["people"]))


def test_a_component_over_a_trained_hero_says_nothing_of_it(tiny_bert):
    nlp = make_hero_nlp(tiny_bert)
    train(nlp, steps=0)
    assert "hero" not in nlp.get_pipe("hgn_ner").get_cfg()


def test_the_command(wholes, nlp, tmp_path):
    def run(*arguments):
        return CliRunner().invoke(app, ["hgn", "head", *map(str, arguments)])

    output = tmp_path / "heads" / "people"
    done = run(wholes["people"], output)
    assert done.exit_code == 0, done.stdout
    assert "Head hgn_ner written to" in done.stdout.replace("\n", " ")
    attach(nlp, str(output))
    assert_finds(nlp, data_of(PARTS["people"]))
    again = run(wholes["people"], output)
    assert again.exit_code == 1
    assert "isn't empty" in again.stdout
    other = run(wholes["people"], tmp_path / "other", "--component", "ner")
    assert other.exit_code == 1
    assert "one of ['hgn_ner'], got 'ner'" in other.stdout.replace("\n", " ")


def test_the_command_refuses_a_trained_hero(tiny_folder, tmp_path):
    done = CliRunner().invoke(app, ["hgn", "head", str(tiny_folder), str(tmp_path / "head")])
    assert done.exit_code == 1
    assert "wasn't trained over a frozen Hero" in done.stdout
    assert not (tmp_path / "head").exists()


def test_a_head_is_packaged(heads, nlp, tmp_path):
    package(heads["people"], tmp_path, name="people", version="1.2.3", create_sdist=False)
    folder = tmp_path / "xx_people-1.2.3"
    attach(nlp, folder / "xx_people" / "xx_people-1.2.3")
    assert_finds(nlp, data_of(PARTS["people"]))
    assert '"spacy-hgn' in (folder / "meta.json").read_text().replace("spacy_hgn", "spacy-hgn")
