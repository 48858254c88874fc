"""The config that a training begins with: what is recommended, for a language and a purpose."""

from typing import Any

from confection import Config
from spacy.cli.init_config import RECOMMENDATIONS
from spacy.util import get_lang_class, load_model_from_config

from .recipes import DEFAULT, Recipe, RecipeError, fit_to_hero, read_recipe

TEMPLATE = """
[vars]
recipe = null
hero = null
hero_learn_rate = null
learn_rate = null
warmup_steps = 100

[paths]
train = null
dev = null

[system]
gpu_allocator = null
seed = 0

[nlp]
lang = null
pipeline = ["transformer", "hgn_ner", "doc_cleaner"]
batch_size = 128

[components]

[components.transformer]
factory = "transformer"

[components.transformer.model]
@architectures = "spacy-hgn.TransformerModel.v1"
name = ${vars.hero}

[components.transformer.model.get_spans]
@span_getters = "spacy-transformers.strided_spans.v1"
window = 128
stride = 96

[components.hgn_ner]
factory = "hgn_ner"

[components.hgn_ner.model]
@architectures = "spacy-hgn.HeroGangTagger.v1"
dropout = ${training.dropout}

[components.hgn_ner.model.tok2vec]
@architectures = "spacy-transformers.TransformerListener.v1"
grad_factor = 1.0
upstream = "*"

[components.hgn_ner.model.tok2vec.pooling]
@layers = "reduce_first.v1"

[components.doc_cleaner]
factory = "hgn_doc_cleaner"

[corpora]

[corpora.train]
@readers = "spacy.Corpus.v1"
path = ${paths.train}

[corpora.dev]
@readers = "spacy.Corpus.v1"
path = ${paths.dev}

[training]
max_epochs = 0
max_steps = 1000
patience = 0
eval_frequency = 100

[training.logger]
@loggers = "spacy-hgn.ConsoleLogger.v1"

[training.batcher]
@batchers = "spacy-hgn.batch_by_sequence.v1"
max_tokens = 4096

[training.optimizer]
@optimizers = "spacy-hgn.AdamW.v1"

[training.optimizer.learn_rate]
@schedules = "warmup_linear.v1"
warmup_steps = ${vars.warmup_steps}
total_steps = ${training.max_steps}
initial_rate = ${vars.learn_rate}

[training.optimizer.hero_learn_rate]
@schedules = "warmup_linear.v1"
warmup_steps = ${vars.warmup_steps}
total_steps = ${training.max_steps}
initial_rate = ${vars.hero_learn_rate}
"""
"""What is neither spaCy's default nor a recipe's."""

OPTIMIZATIONS: dict[str, dict[str, Any]] = {
    "accuracy": {},
    # Saves a quarter of the Hero's work on long texts; words at the spans' ends see one side of
    # their context.
    "efficiency": {"components.transformer.model.get_spans.stride": 128},
}
"""What each purpose changes in the template."""

RECIPES = {"accuracy": DEFAULT, "efficiency": "fast"}
"""The recipe of each purpose, where none is named."""


def make_training_config(
    lang: str = "en",
    hero: str | None = None,
    *,
    gpu: bool = False,
    optimize: str = "efficiency",
    recipe: str | None = None,
    sentences: int | None = None,
    windows: list[int] | None = None,
    fusion: str | None = None,
    members: int | None = None,
) -> Config:
    """A complete config for ``spacy train``.

    hero: on the hub or a folder; None is ``recommend_hero``'s. gpu: PyTorch's memory for all of
    spaCy; apart from that, ``precision = "auto"`` asks the processor. optimize: a key of
    ``OPTIMIZATIONS``. recipe: None is that of ``optimize``. sentences: to train on, so that steps
    can be counted; None is 1,000 steps. windows, fusion, members: None is what the recipe says.
    Raises ValueError for a language that spaCy doesn't have, for an unknown recipe or what
    contradicts it, and for impossible settings, and ImportError for a language that needs a
    package that isn't installed.
    """
    lang = find_language(lang)
    chosen = read_recipe(recipe or RECIPES[optimize])
    given = {
        "vars.recipe": chosen.name,
        "vars.hero": hero or recommend_hero(lang, optimize),
        "nlp.lang": lang,
        "system.gpu_allocator": "pytorch" if gpu else None,
        "components.hgn_ner.model.windows": windows,
        "components.hgn_ner.model.fusion": fusion,
        "components.hgn_ner.model.members": members,
    }
    given = {name: value for name, value in given.items() if value is not None}
    counted = {} if sentences is None else _count_steps(chosen, sentences)
    try:
        settings = chosen.with_settings(given)
    except RecipeError:
        if recipe is not None:
            raise
        settings = {**chosen.settings, **given, "vars.recipe": None}  # it is none by that name
    overrides = {**OPTIMIZATIONS[optimize], **counted, **settings}
    config = Config().from_str(TEMPLATE, interpolate=False, overrides=overrides)
    fit_to_hero(config)
    filled = load_model_from_config(config, auto_fill=True).config
    load_model_from_config(filled)  # the first time, nothing is checked
    return filled


def _count_steps(recipe: Recipe, sentences: int) -> dict[str, int]:
    """The recipe's epochs as steps, with an evaluation at the end of each."""
    steps = recipe.count_steps(sentences)
    return {
        "training.max_steps": steps,
        "training.eval_frequency": max(steps // recipe.count_epochs(sentences), 1),
        "vars.warmup_steps": round(recipe.warmup * steps),
    }


def recommend_hero(lang: str, optimize: str) -> str:
    """A Hero on the hub for a language.

    For accuracy, the Transformer that spaCy recommends, mostly of twelve layers; for efficiency
    DistilBERT, which has six. Where there's none for the language alone, a multilingual one.
    """
    if optimize == "efficiency":
        return f"distilbert-base-{'cased' if lang == 'en' else 'multilingual-cased'}"
    default = RECOMMENDATIONS["__default__"]
    found = RECOMMENDATIONS.get(lang, default)["transformer"] or default["transformer"]
    return found[optimize]["name"]


def find_language(lang: str) -> str:
    """The code under which spaCy has a language: ``eng`` is ``en``."""
    try:
        return str(get_lang_class(lang).lang)
    except ImportError as error:
        raise ValueError(
            "Unknown lang: expected the code of a language that spaCy has, such as en, de or xx "
            f"(any), got {lang!r}. See https://spacy.io/usage/models#languages"
        ) from error
