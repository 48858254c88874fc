"""``spacy hgn init config``: complete configs that ``spacy train`` takes as they are."""

from pathlib import Path

import pytest
import spacy
from component.helpers import make_examples
from spacy.cli._util import app
from spacy.tokens import DocBin
from spacy.util import load_config, load_model_from_config
from thinc.api import Config
from typer.testing import CliRunner

import spacy_hgn.cli  # noqa: F401  (adds the subcommands to the app)
from spacy_hgn.training.init_config import recommend_hero

CONFIGS = Path(__file__).parent.parent.parent / "configs"
OPTIMIZATIONS = ["efficiency", "accuracy"]


def run(*args):
    """Exit status and output of ``spacy hgn init config``."""
    result = CliRunner().invoke(app, ["hgn", "init", "config", *map(str, args)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def write(tmp_path):
    """The config that is written under some options, read."""

    def write_config(*options):
        path = tmp_path / "folder" / "hgn.cfg"
        code, output = run(path, *options, "--force")
        assert code == 0, output
        return load_config(path, interpolate=False)

    return write_config


@pytest.fixture
def corpus(tmp_path):
    """A few texts with entities, as a file."""
    docs = [example.reference for example in make_examples(spacy.blank("en"))]
    DocBin(docs=docs).to_disk(tmp_path / "corpus.spacy")
    return tmp_path / "corpus.spacy"


@pytest.mark.slow
@pytest.mark.parametrize("optimize", OPTIMIZATIONS)
def test_spacy_train_takes_the_config_as_it_is(optimize, tiny_bert, corpus, tmp_path):
    path = tmp_path / "hgn.cfg"
    assert run(path, "--hero", tiny_bert, "--optimize", optimize)[0] == 0
    paths = ["--paths.train", corpus, "--paths.dev", corpus]
    steps = ["--training.max_steps", 2, "--training.eval_frequency", 1]
    command = ["train", path, "--output", tmp_path / "out", *paths, *steps]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 0, result.output
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert nlp.pipe_names == ["transformer", "hgn_ner", "doc_cleaner"]
    assert nlp.get_pipe("hgn_ner").labels == ("GPE", "ORG", "PERSON")


@pytest.mark.parametrize("optimize", OPTIMIZATIONS)
def test_nothing_is_left_to_fill_in(optimize, tmp_path, write):
    write("--optimize", optimize)
    path, filled = tmp_path / "folder" / "hgn.cfg", tmp_path / "filled.cfg"
    CliRunner().invoke(app, ["init", "fill-config", str(path), str(filled)])
    assert filled.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("name", "options"), [("hgn.cfg", []), ("base.cfg", ["--windows", "[]"])])
def test_the_configs_of_the_repository_are_written_by_it(name, options, tmp_path):
    settings = ["--hero", "bert-base-cased", "--gpu", "--optimize", "accuracy"]
    assert run(tmp_path / name, *settings, *options)[0] == 0
    assert (tmp_path / name).read_bytes() == (CONFIGS / name).read_bytes()


def flatten(config, prefix=""):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_what_the_purposes_differ_in(write):
    efficiency, accuracy = (dict(flatten(write("--optimize", name))) for name in OPTIMIZATIONS)
    assert {key: (efficiency[key], accuracy[key]) for key in accuracy} == {
        **{key: (value, value) for key, value in accuracy.items()},
        "vars.recipe": ("fast", "default"),
        "vars.hero": ("distilbert-base-cased", "roberta-base"),
        "components.hgn_ner.model.windows": ([7], [5, 7, 9]),
        "components.transformer.model.get_spans.stride": (128, 96),
    }


def test_efficiency_is_the_default(write):
    assert write() == write("--optimize", "efficiency")


def test_a_recipe_may_be_named_apart_from_the_purpose(write):
    config = write("--recipe", "paper", "--sentences", "1000")
    assert config["vars"]["recipe"] == "paper"
    assert config["vars"]["hero"] == "distilbert-base-cased"
    assert config["training"]["max_steps"] == 20 * 32
    assert config["components"]["hgn_ner"]["decoder"] == "argmax"


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--frozen"], ["--recipe", "frozen"]])
def test_spacy_train_takes_the_config_of_a_frozen_hero(options, tiny_bert, corpus, tmp_path):
    path = tmp_path / "hgn.cfg"
    assert run(path, "--hero", tiny_bert, "--members", 2, *options)[0] == 0
    paths = ["--paths.train", corpus, "--paths.dev", corpus]
    steps = ["--training.max_steps", 2, "--training.eval_frequency", 1]
    command = ["train", path, "--output", tmp_path / "out", *paths, *steps]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 0, result.output
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert nlp.get_pipe("hgn_ner").model.get_ref("flat").shims[0].members == 2
    assert nlp.batch_size == 32


@pytest.mark.slow
def test_a_frozen_hero_leaves_nothing_to_fill_in(tmp_path, write):
    write("--frozen", "--members", "3")
    path, filled = tmp_path / "folder" / "hgn.cfg", tmp_path / "filled.cfg"
    CliRunner().invoke(app, ["init", "fill-config", str(path), str(filled)])
    assert filled.read_bytes() == path.read_bytes()


def test_frozen_is_a_recipe(write):
    assert write("--frozen") == write("--recipe", "frozen", "--frozen")
    assert write("--frozen")["vars"]["recipe"] == "frozen"


def test_options_reach_the_config(write):
    config = write("--lang", "de", "--hero", "h", "--windows", "[3, 5]", "--fusion", "add")
    assert config["nlp"]["lang"] == "de"
    assert config["vars"]["hero"] == "h"
    model = config["components"]["hgn_ner"]["model"]
    assert (model["windows"], model["fusion"]) == ([3, 5], "add")
    assert config.interpolate()["components"]["transformer"]["model"]["name"] == "h"


@pytest.mark.parametrize(
    ("text", "windows"), [("[]", []), ("", []), ("3", [3]), ("3,5", [3, 5]), ("[7]", [7])]
)
def test_windows_may_be_written_with_brackets_and_without(text, windows, write):
    assert write("--windows", text)["components"]["hgn_ner"]["model"]["windows"] == windows


def test_what_is_not_the_purposes_recipe_has_no_recipes_name(write):
    assert write("--windows", "7")["vars"]["recipe"] == "fast"
    assert write("--windows", "3,5")["vars"]["recipe"] is None


def test_a_gpu_gets_pytorchs_memory(write):
    assert write()["system"]["gpu_allocator"] is None
    assert write("--gpu")["system"]["gpu_allocator"] == "pytorch"


@pytest.mark.parametrize("lang", ["de", "zh", "xx", "eng"])
def test_the_tokenizer_is_that_of_the_language(lang, write):
    nlp = load_model_from_config(write("--lang", lang))
    assert nlp.lang == {"eng": "en"}.get(lang, lang)
    assert type(nlp.tokenizer) is type(spacy.blank(lang).tokenizer)


@pytest.mark.parametrize(
    ("lang", "optimize", "hero"),
    [
        ("en", "efficiency", "distilbert-base-cased"),
        ("de", "efficiency", "distilbert-base-multilingual-cased"),
        ("de", "accuracy", "bert-base-german-cased"),
        ("it", "accuracy", "bert-base-multilingual-uncased"),  # spaCy names vectors for it alone
        ("xx", "accuracy", "bert-base-multilingual-uncased"),
    ],
)
def test_heroes_of_languages(lang, optimize, hero):
    assert recommend_hero(lang, optimize) == hero


@pytest.mark.parametrize(
    ("lang", "hero", "is_told"),
    [
        ("de", "bert-base-cased", True),
        ("fi", "hero/minilm", True),
        ("de", "bert-base-german-cased", False),
        ("de", "xlm-roberta-base", False),
        ("en", "roberta-base", False),
        ("de", None, False),
    ],
)
def test_a_hero_that_reads_english_alone_is_told_of_for_another_language(
    lang, hero, is_told, tmp_path
):
    options = [] if hero is None else ["--hero", hero]
    code, output = run(tmp_path / "hgn.cfg", "--lang", lang, *options)
    assert code == 0
    assert ("pretrained on English alone" in " ".join(output.split())) == is_told


def test_what_is_written_to_stdout_is_the_config_alone(write):
    code, output = run("-", "--hero", "h")
    assert code == 0
    assert Config().from_str(output, interpolate=False) == write("--hero", "h")


def test_a_file_is_written_over_by_force_alone(tmp_path):
    path = tmp_path / "hgn.cfg"
    path.write_text("mine")
    code, output = run(path)
    assert code == 1
    assert "--force overwrites it" in " ".join(output.split())
    assert path.read_text() == "mine"
    assert run(path, "--force")[0] == 0
    assert path.read_text() != "mine"


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        (["--lang", "qq"], 1, "Unknown lang: expected the code of a language that spaCy has"),
        (["--fusion", "sum"], 1, "Unknown fusion: expected one of mlp, dot, concat, add"),
        (["--recipe", "best"], 1, "Unknown recipe: expected one of default, fast, frozen, paper"),
        (["--recipe", "fast", "--windows", "3,5"], 1, "The recipe fast has one window at most"),
        (["--frozen", "--recipe", "default"], 1, "but got the recipe default too. Leave out one"),
        (["--members", "0"], 2, "--members"),
        (["--sentences", "0"], 2, "--sentences"),
        (["--windows", "2"], 1, "windows: expected a list of odd whole numbers"),
        (["--windows", "wide"], 2, "expected widths such as [3,5,7], or [] for none; got 'wide'"),
        (["--optimize", "size"], 2, "'size' is not one of 'efficiency', 'accuracy'"),
    ],
)
def test_impossible_options_are_refused(options, code, expected, tmp_path):
    found, output = run(tmp_path / "hgn.cfg", *options)
    assert found == code
    assert expected in " ".join(output.split())
    assert not (tmp_path / "hgn.cfg").exists()
