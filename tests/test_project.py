"""The project as a user runs it: from files to an installed package and a page."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import spacy
import srsly
import yaml
from spacy.tokens import Doc, DocBin
from spacy.util import load_config

from spacy_hgn.corpora.stats import count_parts
from spacy_hgn.training.init_config import make_training_config

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
FILES = ["project.yml", "configs", "scripts", "assets/sample"]
ASSETS = os.environ.get("HGN_ASSETS")
PUBLISHED = ["wnut16", "wnut17", "bc5cdr-disease", "bc5cdr-chem", "bc2gm"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, minilm: Path) -> Path:
    """A copy of the project, with a few of the sample corpus's sentences and the Hero."""
    folder = tmp_path_factory.mktemp("project")
    for name in FILES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
    for part in ("train", "dev", "test"):
        path = folder / "assets" / "sample" / f"{part}.tsv"
        sentences = path.read_text(encoding="utf8").split("\n\n")
        path.write_text("\n\n".join(sentences[:60]) + "\n", encoding="utf8")
    (folder / "hero").mkdir()
    (folder / "hero" / "minilm").symlink_to(minilm)
    return folder


def run(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """Run ``python -m spacy project run ...``; what is installed goes into project/site."""
    site = str(project / "site")
    path = os.pathsep.join([site, os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PIP_TARGET": site, "PYTHONPATH": path, **environment}
    command = [sys.executable, "-m", "spacy", "project", "run", *words]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)


def run_script(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess:
    """Run a script of the project, as its commands do."""
    name, *arguments = words
    command = [sys.executable, str(Path("scripts") / name), *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch):
    """What build_corpus.py builds a corpus with, given some options."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import build_corpus

    table = srsly.read_yaml(ROOT / "configs" / "corpora.yml")
    return lambda corpus, **given: build_corpus.choose(table, corpus, given)


@pytest.fixture(scope="module")
def demo(project: Path) -> subprocess.CompletedProcess:
    settings = ["--vars.steps", "30", "--vars.warmup", "3", "--vars.eval_frequency", "15"]
    return run(project, "demo", ".", *settings, "--vars.windows", "[1,3]", "--vars.fusion", "dot")


@pytest.mark.long
def test_demo_ends_with_an_installed_package_and_a_page(demo, project):
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert (project / "site" / "en_hgn_demo" / "__init__.py").exists()
    page = (project / "metrics" / "hgn_demo.html").read_text(encoding="utf8")
    assert page.startswith("<!doctype html>")
    for expected in ("sentence-transformers/all-MiniLM-L6-v2", "60 sentences of", "Kowalczyk"):
        assert expected in page
    assert page.count('<article class="pair') == 24
    for part in ("dev", "test"):
        assert re.search(rf"^F1 .*\d% on {part}", demo.stdout, re.MULTILINE)
    for expected in ("metrics/hgn_demo.html", "none-any.whl", 'spacy.load("en_hgn_demo")'):
        assert expected in demo.stdout


def test_settings_of_the_command_line_reach_the_pipeline(demo, project):
    config = (project / "training" / "hgn_demo" / "model-best" / "config.cfg").read_text()
    assert "windows = [1, 3]" in config or "windows = [1,3]" in config
    assert 'fusion = "dot"' in config
    assert "max_steps = 30" in config


@pytest.mark.long
def test_what_learnt_nothing_is_not_packaged(project):
    few = ["--vars.steps", "1", "--vars.name", "untrained"]
    done = run(project, "demo", ".", *few)
    assert done.returncode == 1
    assert "training/untrained/model-best is of no use" in done.stdout + done.stderr
    assert not (project / "packages" / "en_untrained-0.1.0").exists()


def test_scores_of_test_are_written_per_type(demo, project):
    scores = json.loads((project / "metrics" / "hgn_demo.json").read_text())
    assert set(scores) >= {"ents_p", "ents_r", "ents_f", "ents_per_type"}


def test_wheel_requires_spacy_hgn_and_holds_the_card(demo, project):
    (wheel,) = (project / "packages").rglob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = [name for name in names if name.endswith("METADATA")]
        head, _, card = archive.read(metadata).decode("utf8").partition("\n\n")
    requirements = [line for line in head.splitlines() if line.startswith("Requires-Dist")]
    assert any("spacy-hgn" in line and ">=" in line and "<" in line for line in requirements)
    assert "| type | F1, dev | P, test | R, test | F1, test |" in card
    assert "| **all (micro)** |" in card
    assert "| train | 60 |" in card
    assert "What the windows bring is" in card
    assert "| recipe | default |" in card
    assert "| Hero | sentence-transformers/all-MiniLM-L6-v2 |" in card
    assert "pip install en_hgn_demo-0.1.0-py3-none-any.whl" in card
    assert "Licence of the corpus: MIT." in card
    assert "expected\ncalibration error on test is" in card
    assert any(name.endswith("/reliability.svg") for name in names)


def test_card_begins_with_what_the_hub_reads(demo, project):
    card = (project / "training" / "hgn_demo" / "calibrated" / "README.md").read_text()
    empty, front_matter, rest = card.split("---\n", 2)
    assert empty == ""
    assert rest.startswith("\n# en_hgn_demo 0.1.0")
    found = yaml.safe_load(front_matter)
    assert {"spacy", "token-classification"} <= set(found["tags"])
    assert (found["language"], found["license"]) == ("en", "mit")
    assert found["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    [model] = found["model-index"]
    assert model["name"] == "en_hgn_demo"
    dev, test = model["results"]
    assert (dev["dataset"]["split"], test["dataset"]["split"]) == ("validation", "test")
    assert test["task"] == {"type": "token-classification", "name": "NER"}
    values = {each["type"]: each["value"] for each in test["metrics"]}
    scores = srsly.read_json(project / "metrics" / "hgn_demo.json")
    assert values == {
        "precision": scores["ents_p"],
        "recall": scores["ents_r"],
        "f_score": scores["ents_f"],
    }


def test_nothing_of_this_machine_is_packaged(demo, project):
    (wheel,) = (project / "packages").rglob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            assert str(project).encode() not in archive.read(name), name


def test_second_run_skips_what_is_done(demo, project):
    name = ["--vars.name", "hgn_demo", "--vars.source", "assets/sample"]
    again = run(project, "convert", ".", *name)
    assert "Skipping 'convert': nothing changed" in again.stdout


def test_build_without_vars_says_what_it_needs(project):
    done = run(project, "build", ".")
    assert done.returncode != 0
    assert "Expected --vars.name, got none" in done.stderr
    assert "custom" in done.stderr


def test_build_writes_its_config_itself(project):
    given = ["--vars.name", "built", "--vars.source", "assets/sample", "--vars.windows", "[3]"]
    for step in ("convert", "config"):
        done = run(project, step, ".", *given)
        assert done.returncode == 0, done.stdout + done.stderr
    config = load_config(project / "training" / "built.cfg")
    assert config["components"]["hgn_ner"]["model"]["windows"] == [3]
    assert config["vars"]["hero"] == "bert-base-cased"


@pytest.mark.long
def test_ontonotes_is_built_from_conll2012_files(project, tmp_path):
    for part in ("train", "development", "test"):
        folder = tmp_path / part / "data" / "english" / "annotations" / "nw"
        folder.mkdir(parents=True)
        (folder / "sample_0001.v4_gold_conll").write_text(CONLL_2012, encoding="utf8")
    steps = ["--vars.steps", "30", "--vars.warmup", "3"]
    done = run(project, "ontonotes", ".", "--vars.source", str(tmp_path), *steps)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "site" / "en_hgn_ontonotes" / "__init__.py").exists()


def test_folder_without_parts_is_refused(project, tmp_path):
    (tmp_path / "train.tsv").write_text("Apple\tB-ORG\n")
    done = run(project, "custom", ".", "--vars.source", str(tmp_path))
    assert done.returncode != 0
    assert "expected one file or folder with dev or valid" in done.stdout + done.stderr


@pytest.mark.parametrize("corpus", [*PUBLISHED, "ontonotes"])
def test_the_papers_recipe_takes_its_best_settings_of_a_corpus(choose, corpus):
    table = srsly.read_yaml(ROOT / "configs" / "corpora.yml")["corpora"]
    source = {"source": "somewhere"} if corpus == "ontonotes" else {}
    for fusion in ("mlp", "dot"):
        best = table[corpus]["paper"][fusion]
        chosen = choose(corpus, recipe="paper", fusion=fusion, **source)
        assert chosen["windows"] == best["windows"]
        assert chosen["hero_learn_rate"] == chosen["learn_rate"] == best["learn_rate"]
    chosen = choose(corpus, recipe="paper", **source)
    assert chosen["windows"] == table[corpus]["paper"]["mlp"]["windows"]
    assert choose(corpus, hero="paper", **source)["hero"] == table[corpus]["paper"]["heroes"][0]


@pytest.mark.parametrize("recipe", ["", "default", "fast"])
def test_other_recipes_have_settings_of_their_own(choose, recipe):
    chosen = choose("wnut17", **({"recipe": recipe} if recipe else {}))
    assert "windows" not in chosen
    assert chosen["hero_learn_rate"] == 1e-4  # of the small Hero


def test_one_rate_that_is_given_is_that_of_all_weights_under_the_papers_recipe(choose):
    chosen = choose("wnut17", recipe="paper", learn_rate=3e-5)
    assert chosen["hero_learn_rate"] == chosen["learn_rate"] == 3e-5


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch):
    """What write_config.py trains with, for so many sentences."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import write_config

    return lambda sentences, **given: write_config.plan(given, sentences)


@pytest.mark.parametrize(
    ("recipe", "sentences", "steps", "frequency"),
    [
        ("default", 3394, 535, 50),
        ("fast", 3394, 321, 50),
        ("paper", 3394, 2140, 107),
        ("frozen", 3394, 856, 107),
        ("frozen", 12574, 1572, 393),
    ],
)
def test_the_recipes_epochs_are_steps_of_32_sentences(plan, recipe, sentences, steps, frequency):
    planned = plan(sentences, recipe=recipe)
    assert (planned["steps"], planned["eval_frequency"]) == (steps, frequency)
    assert planned["warmup"] == -(-steps // 10)
    assert "patience" not in planned


def test_a_small_corpus_is_trained_on_for_longer_while_it_helps(plan, capsys):
    planned = plan(60)
    assert planned == {"steps": 200, "warmup": 20, "eval_frequency": 20, "patience": 100}
    assert "60 sentences are few" in capsys.readouterr().out


def test_steps_that_are_given_go_before_those_of_the_sentences(plan, capsys):
    planned = plan(60, steps=2000, eval_frequency=30)
    assert planned == {"steps": 2000, "warmup": 200, "eval_frequency": 30}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("sentences", "words", "rate"),
    [(3394, [], 1e-3), (12574, [], 2e-3), (12574, ["--learn_rate=5e-4"], 5e-4)],
)
def test_a_large_corpus_takes_a_higher_rate_over_a_frozen_hero(
    plan, tmp_path, monkeypatch, sentences, words, rate
):
    import write_config

    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copy(ROOT / "project.yml", tmp_path)
    train = tmp_path / "corpus" / "mine" / "train.spacy"
    train.parent.mkdir(parents=True)
    train.touch()
    monkeypatch.setattr(write_config, "PROJECT", tmp_path)
    monkeypatch.setattr(write_config, "count_annotated", lambda _: sentences)
    given = ["--name=mine", "--source=mine", "--recipe=frozen", *words]
    monkeypatch.setattr(sys, "argv", ["write_config.py", *given])
    write_config.main()
    config = load_config(tmp_path / "training" / "mine.cfg", interpolate=True)
    assert config["training"]["optimizer"]["learn_rate"]["initial_rate"] == rate


def test_sentences_are_counted_in_the_corpus_but_those_without_annotation(plan, tmp_path):
    import write_config

    vocab = spacy.blank("en").vocab
    annotated = Doc(vocab, words=["Ada"], ents=["B-PERSON"])
    docs = [annotated, Doc(vocab, words=["left"]), annotated]
    DocBin(docs=docs).to_disk(tmp_path / "train.spacy")
    assert write_config.count_annotated(tmp_path / "train.spacy") == 2


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--vars.epochs", "--vars.epochs: expected one of the vars in project.yml."),
        ("--vars.step=3", "Did you mean --vars.steps?"),
        ("--vars.steps=3", None),
        ("--vars.learn-rate=1e-3", None),
        ("--training.x", None),
    ],
)
def test_vars_that_the_project_does_not_have_are_refused(plan, word, expected):
    import write_config

    found = write_config.find_unknown(["python", word, "3"])
    assert found is None if expected is None else expected in found


@pytest.mark.skipif(sys.platform != "linux", reason="reads another process's command line")
def test_a_misspelt_var_ends_the_command_before_anything_is_done(project):
    done = run(project, "custom", ".", "--vars.source", "assets/sample", "--vars.epochs", "3")
    assert done.returncode == 1
    assert "--vars.epochs: expected one of the vars in project.yml" in done.stderr


def test_a_hero_that_does_not_read_the_language_is_told(project):
    given = ["--name=ours", "--source=x", "--lang=de", "--hero=minilm"]
    done = run_script(project, "write_config.py", *given)
    assert done.returncode == 0, done.stderr
    output = " ".join(done.stdout.split())
    assert "pretrained on English alone, and the language is de" in output
    assert "--vars.hero xlm-roberta-base" in output


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ["--recipe=best"],
            "Unknown recipe: expected one of default, fast, frozen, paper, got 'best'",
        ),
        (["--recipe=fast", "--windows=[3,5]"], "The recipe fast has one window at most"),
        (["--recipe=paper", "--learn_rate=1e-3"], "The recipe paper has one learning rate"),
        (["--frozen=True", "--hero_learn_rate=1e-5"], "The recipe frozen doesn't train its Hero"),
    ],
)
def test_a_recipe_that_is_not_there_or_contradicted_is_refused(project, options, expected):
    done = run_script(project, "write_config.py", "--name=x", "--source=x", *options)
    assert done.returncode == 1
    assert f"--vars.recipe: {expected}" in done.stderr


def test_the_config_says_its_recipe(project):
    done = run_script(project, "write_config.py", "--name=as_paper", "--source=x", "--recipe=paper")
    assert done.returncode == 0, done.stderr
    config = load_config(project / "training" / "as_paper.cfg")
    assert config["vars"]["recipe"] == "paper"
    assert config["components"]["hgn_ner"]["model"]["edges"] is True
    assert config["components"]["hgn_ner"]["decoder"] == "argmax"


@pytest.mark.parametrize("frozen", ["true", "True"])
def test_frozen_is_the_recipe_of_that_name(project, frozen):
    given = ["--name=ours", "--source=x", f"--frozen={frozen}", "--members=3", "--recipe="]
    done = run_script(project, "write_config.py", *given)
    assert done.returncode == 0, done.stderr
    config = load_config(project / "training" / "ours.cfg")
    expected = make_training_config(
        "en", "bert-base-cased", recipe="frozen", optimize="accuracy", gpu=True, members=3
    )
    log = config["training"]["logger"].pop("logger")
    assert log["output_file"] == "training/ours/log.jsonl"
    assert expected["training"]["logger"].pop("logger") is None
    assert config == expected


@pytest.mark.parametrize("frozen", ["", "false", "False"])
def test_frozen_may_be_left_off(project, frozen):
    given = ["--name=ours", "--source=x", f"--frozen={frozen}", "--recipe=fast"]
    done = run_script(project, "write_config.py", *given)
    assert done.returncode == 0, done.stderr
    config = load_config(project / "training" / "ours.cfg")
    assert config["vars"]["recipe"] == "fast"


def test_frozen_beside_another_recipe_is_refused(project):
    for script, first in (("build_corpus.py", ["wnut17"]), ("write_config.py", ["--name=x"])):
        done = run_script(project, script, *first, "--frozen=true", "--recipe=paper")
        assert done.returncode == 1
        assert done.stderr.startswith("--vars.frozen: A frozen Hero has its own recipe")
    assert run_script(project, "write_config.py", "--frozen=maybe").returncode == 2


@pytest.mark.parametrize("corpus", [*PUBLISHED, "demo", "custom"])
def test_every_corpus_can_be_trained_over_a_frozen_hero(choose, corpus):
    source = {"source": "somewhere"} if corpus == "custom" else {}
    chosen = choose(corpus, recipe="frozen", **source)
    assert "hero_learn_rate" not in chosen  # though MiniLM has one of its own


def test_the_card_tells_of_a_frozen_hero_and_of_the_heads(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import write_model_card

    config = make_training_config("en", "hero/minilm", recipe="frozen", members=3)
    card = write_model_card.settings(config.interpolate())
    assert "| recipe | frozen |" in card
    name = "sentence-transformers/all-MiniLM-L6-v2"
    assert f"| Hero | {name}, frozen; layers: all, pooling: first |" in card
    assert "| heads | 3 |" in card
    config = make_training_config("en", "hero/minilm")
    plain = write_model_card.settings(config.interpolate())
    assert f"| Hero | {name} |" in plain
    assert "| heads | 1 |" in plain


@pytest.mark.parametrize(
    ("given", "folder", "fetched"),
    [
        ("", "hero/minilm", ["minilm"]),
        ("minilm", "hero/minilm", ["minilm"]),
        ("mpnet", "hero/mpnet", ["mpnet"]),
        ("hero/mpnet", "hero/mpnet", ["mpnet"]),
        ("bert-base-cased", "bert-base-cased", []),
        ("some/mpnet", "some/mpnet", []),
    ],
)
def test_a_named_hero_is_fetched_and_its_folder_used(monkeypatch, given, folder, fetched):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import build_corpus
    import fetch_hero

    calls: list[str] = []
    build: list[str] = []

    def keep(command: list[str]) -> subprocess.CompletedProcess:
        build.extend(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(fetch_hero, "fetch", calls.append)
    monkeypatch.setattr(subprocess, "run", keep)
    monkeypatch.setattr(sys, "argv", ["build_corpus.py", "demo", f"--hero={given}"])
    monkeypatch.setattr(build_corpus, "describe_result", lambda corpus, chosen: "")
    build_corpus.main()
    assert calls == fetched
    assert build[build.index("--vars.hero") + 1] == folder


def test_the_config_has_the_folder_of_a_named_hero(project):
    done = run_script(project, "write_config.py", "--name=with_mpnet", "--source=x", "--hero=mpnet")
    assert done.returncode == 0, done.stderr
    assert load_config(project / "training" / "with_mpnet.cfg")["vars"]["hero"] == "hero/mpnet"


def test_a_hero_has_a_learning_rate_of_its_own(choose):
    assert choose("wnut17", hero="hero/minilm")["hero_learn_rate"] == 1e-4
    assert choose("bc2gm", hero="hero/mpnet")["hero_learn_rate"] == 5e-5  # the paper's is 1e-5


def test_what_is_given_goes_before_the_table(choose):
    given = {
        "name": "mine",
        "windows": [],
        "fusion": "dot",
        "hero": "x/y",
        "hero_learn_rate": 0.5,
        "steps": 7,
        "warmup": 0,
        "eval_frequency": 3,
        "data": "ours",
        "licence": "MIT",
    }
    chosen = choose("wnut17", **given)
    assert chosen == {**given, "source": "assets/wnut17"}


def test_what_the_table_leaves_open_is_left_to_the_config(choose):
    assert "windows" not in choose("demo")
    assert "hero_learn_rate" not in choose("custom", source="x", hero="some/hero")


def test_settings_that_cannot_be_read_are_refused(project):
    for option in ("--steps=many", "--windows=[3,x]", "--seed=0.5", "--no_such_setting=1"):
        done = run_script(project, "build_corpus.py", "demo", option)
        assert done.returncode == 2
        assert option.split("=")[0] in done.stderr
    assert "wnut17" in run_script(project, "build_corpus.py", "wnut71").stderr


def test_licensed_corpus_says_where_it_is_to_be_had(project):
    done = run_script(project, "build_corpus.py", "ontonotes", "--source=")
    assert done.returncode == 1
    for expected in ("--vars.source", "LDC2013T19", "https://catalog.ldc.upenn.edu", "gold_conll"):
        assert expected in done.stderr


def test_source_that_is_not_there_is_named(project):
    done = run_script(project, "build_corpus.py", "custom", "--source=no/such/folder")
    assert done.returncode == 1
    assert "no/such/folder: expected a folder" in done.stderr


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Convert a corpus of three texts as the step convert does, in this process."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import convert_splits

    def write_and_convert(**parts: str) -> None:
        for part, text in parts.items():
            (tmp_path / f"{part}.tsv").write_text(text, encoding="utf8")
        arguments = ["convert_splits.py", str(tmp_path), str(tmp_path / "out")]
        monkeypatch.setattr(sys, "argv", arguments)
        convert_splits.main()

    return write_and_convert


def test_parts_that_do_not_fit_together_are_warned_of(convert, capsys):
    convert(train="a\tB-X\n\nb\tB-Y\n", dev="a\tB-X\n\nc\tB-Z\n", test="a\tO\n")
    output = " ".join(capsys.readouterr().out.split())
    assert "test has no entities" in output
    assert "dev lacks types that train has: Y" in output
    assert "train lacks types that dev has: Z" in output


def test_card_counts_texts_where_sentences_are_not_known(convert, tmp_path):
    text = '{"text": "Ada saw Bo", "spans": [{"start": 0, "end": 3, "label": "PER"}]}\n'
    convert(train=text * 2, dev=text, test=text)
    import write_model_card

    meta = {"sources": [{"name": "texts of ours", "license": ""}]}
    card = write_model_card.trained_on(count_parts(tmp_path / "out"), meta)
    assert "Licence of the corpus: not given" in card
    assert "| part | texts | tokens | entities |" in card
    assert "| train | 2 | 6 | 2 |" in card


def test_corpus_without_entities_is_refused(convert):
    with pytest.raises(SystemExit, match=r"train\.tsv: expected entities to learn from, got none"):
        convert(train="a\tO\n", dev="a\tO\n", test="a\tO\n")


def test_dev_without_entities_is_refused(convert):
    with pytest.raises(SystemExit, match=r"dev\.tsv: expected entities to choose a checkpoint by"):
        convert(train="a\tB-X\n", dev="a\tO\n", test="a\tB-X\n")


def test_empty_part_is_refused(convert, capsys):
    with pytest.raises(SystemExit) as stop:
        convert(train="a\tB-X\n", dev="\n", test="a\tB-X\n")
    assert stop.value.code == 1
    assert "dev.tsv: expected sentences, got none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "my-ner"}, "--vars.name: expected small letters, digits and single _"),
        ({"name": "my__ner"}, "--vars.name: expected small letters, digits and single _"),
        ({"name": "Ärzte"}, "--vars.name: expected small letters, digits and single _"),
        ({"name": "en_ner"}, "without the language that is put before it; got 'en_ner'"),
        ({"version": "new"}, "--vars.version: expected one like 0.1.0, got 'new'"),
        ({"version": "1.0-beta"}, "--vars.version: expected 1.0b0, as pip writes it"),
        ({"lang": "qq"}, "--vars.lang: Unknown lang"),
        ({"lang": "eng"}, "--vars.lang: expected en, as spaCy calls it; got 'eng'"),
    ],
)
def test_what_no_package_can_be_called_is_refused(monkeypatch, given, expected):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import write_config

    fine = {"name": "my_ner", "version": "0.1.0", "lang": "en"}
    write_config.check_names(fine)
    with pytest.raises(SystemExit, match=re.escape(expected)):
        write_config.check_names({**fine, **given})


def test_a_name_that_packaging_refuses_is_told_before_anything_is_done(project):
    done = run_script(project, "build_corpus.py", "demo", "--name=my-ner")
    assert done.returncode == 1
    assert done.stderr.startswith("--vars.name: expected small letters")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.0, 0.4, 0.3], None),
        ([0.02, 0.0, 0.0], "before it was trained, at step 0"),
        ([0.5], "before it was trained, at step 0"),
        ([0.0, 0.009], "its F1 on dev is 0.90%"),
    ],
)
def test_a_training_that_learnt_nothing_is_told(monkeypatch, scores, expected):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import train

    problem = train.find_problem([{"step": 5 * i, "score": f} for i, f in enumerate(scores)])
    assert problem is None if expected is None else expected in problem


@pytest.mark.parametrize("f1", [0.0, 0.004])
def test_a_pipeline_that_finds_nothing_on_test_gets_no_card(convert, tmp_path, monkeypatch, f1):
    convert(train="a\tB-X\n", dev="a\tB-X\n", test="a\tB-X\n")
    import write_model_card

    (tmp_path / "metrics.json").write_text(json.dumps({"ents_f": f1}))
    files = [str(tmp_path / name) for name in ("model", "metrics.json", "none", "none", "out")]
    given = ["--name=x", "--package-version=1", "--data=ours"]
    monkeypatch.setattr(sys, "argv", ["write_model_card.py", *files, *given])
    with pytest.raises(SystemExit, match="Not packaged: F1 on test is 0"):
        write_model_card.main()


def test_the_last_step_is_evaluated_whatever_steps_are_given(project):
    for steps, frequency, expected in ((20, 100, 20), (310, 50, 31)):
        given = [f"--steps={steps}", f"--eval_frequency={frequency}"]
        done = run_script(project, "write_config.py", "--name=ours", "--source=x", *given)
        assert done.returncode == 0, done.stderr
        training = load_config(project / "training" / "ours.cfg")["training"]
        assert (training["max_steps"], training["eval_frequency"]) == (steps, expected)


def test_missing_asset_names_variable_file_and_address(project, tmp_path):
    done = run(project, "wnut17", ".", HGN_ASSETS=str(tmp_path))
    assert done.returncode != 0
    assert "HGN_ASSETS" in done.stderr
    assert str(tmp_path / "wnut17" / "wnut17train.conll") in done.stderr
    assert "https://raw.githubusercontent.com/leondz/emerging_entities_17/" in done.stderr


def test_asset_with_another_checksum_is_refused(project, tmp_path):
    (tmp_path / "wnut17").mkdir()
    path = tmp_path / "wnut17" / "wnut17train.conll"
    path.write_text("Apple\tB-corporation\n")
    done = run_script(project, "fetch_assets.py", "wnut17", HGN_ASSETS=str(tmp_path))
    assert done.returncode == 1
    assert "Expected c213127d9438fb2c64fe0fabe8644489" in done.stderr
    assert f"got {hashlib.md5(path.read_bytes()).hexdigest()}" in done.stderr
    assert not any((project / "assets" / "wnut17").iterdir())


def test_asset_that_was_changed_is_refused(project):
    (project / "assets" / "bc2gm").mkdir()
    (project / "assets" / "bc2gm" / "train.tsv").write_text("Apple\tB-GENE\n")
    done = run_script(project, "fetch_assets.py", "bc2gm")
    assert done.returncode == 1
    assert "Expected 730575863058c4a1e5eceeb979a0f6ba" in done.stderr
    assert "Delete" in done.stderr
    shutil.rmtree(project / "assets" / "bc2gm")


@pytest.mark.skipif(
    not ASSETS, reason="HGN_ASSETS is not set: it names the folder of the real corpora"
)
@pytest.mark.parametrize("corpus", PUBLISHED)
def test_assets_are_those_of_the_table(project, corpus):
    done = run_script(project, "fetch_assets.py", corpus)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": there, checksum") == 3
    assert len(list((project / "assets" / corpus).iterdir())) == 3


CONLL_2012 = """#begin document (nw/sample_0001); part 000
nw/sample_0001   0   0   Maria   NNP   (TOP(S(NP*   -   -   -   -   (PERSON*   *   (1
nw/sample_0001   0   1   Silva   NNP   *)   -   -   -   -   *)   *   1)
nw/sample_0001   0   2   left   VBD   (VP*   leave   01   1   -   *   (V*)   -
nw/sample_0001   0   3   Lisbon   NNP   (NP*)   -   -   -   -   (GPE)   *   -
nw/sample_0001   0   4   .   .   *)))   -   -   -   -   *   *   -

#end document
"""
