"""The recommended training config for a language and a purpose."""

import re
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

[components.doc_cleaner]
factory = "hgn_doc_cleaner"

[corpora]

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
"""Settings that are neither spaCy's default nor in a recipe."""

OPTIMIZATIONS: dict[str, dict[str, Any]] = {
    "accuracy": {},
    # Saves a quarter of the Hero's work on long texts, but words at the ends of spans have context
    # on one side only.
    "efficiency": {"components.transformer.model.get_spans.stride": 128},
}
"""Changes of the template for each purpose."""

ENGLISH = re.compile(
    r"hero/(minilm|mpnet)|(sentence-transformers/)?all-(MiniLM|mpnet)-.*"
    r"|((google-bert|distilbert|FacebookAI)/)?(distil)?(bert|roberta)-(base|large)(-(un)?cased)?"
    r"|(xlnet/)?xlnet-(base|large)-cased|(microsoft/)?deberta-v3-(small|base|large)|dmis-lab/.*"
)
"""Names of well-known Heroes that were pretrained on English alone."""

MULTILINGUAL = "xlm-roberta-base"

RECIPES = {"accuracy": DEFAULT, "efficiency": "fast"}
"""The default recipe for each purpose."""


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

    hero: on the hub or a folder; None is the one from ``recommend_hero``. gpu: let PyTorch manage
    the memory of a GPU. optimize: a key of ``OPTIMIZATIONS``. recipe: None is the one for
    ``optimize``. sentences: the number to train on, to convert epochs into steps and to choose the
    rate of ``frozen``; None is 1,000 steps, and the rate for a small corpus. windows, fusion,
    members: None is the recipe's value.
    Raises ValueError for a language that spaCy doesn't have, for an unknown recipe or settings that
    contradict it, and for impossible settings. Raises ImportError for a language that needs a
    missing package.
    """
    lang = find_language(lang)
    chosen = read_recipe(recipe or RECIPES[optimize], sentences or 0)
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
        settings = {**chosen.settings, **given, "vars.recipe": None}  # no longer this recipe
    overrides = {**OPTIMIZATIONS[optimize], **counted, **settings}
    config = Config().from_str(TEMPLATE, interpolate=False, overrides=overrides)
    fit_to_hero(config)
    filled = load_model_from_config(config, auto_fill=True).config
    load_model_from_config(filled)  # checks it, which auto_fill doesn't
    return filled


def _count_steps(recipe: Recipe, sentences: int) -> dict[str, int]:
    """The recipe's epochs as steps, with an evaluation at the end of each epoch."""
    steps = recipe.count_steps(sentences)
    return {
        "training.max_steps": steps,
        "training.eval_frequency": max(steps // recipe.epochs, 1),
        "vars.warmup_steps": round(recipe.warmup * steps),
    }


def recommend_hero(lang: str, optimize: str) -> str:
    """A Hero on the hub for a language.

    For accuracy, the Transformer that spaCy recommends, usually with twelve layers; for efficiency,
    DistilBERT with six. Multilingual, if there is none for the language.
    """
    if optimize == "efficiency":
        return f"distilbert-base-{'cased' if lang == 'en' else 'multilingual-cased'}"
    default = RECOMMENDATIONS["__default__"]
    found = RECOMMENDATIONS.get(lang, default)["transformer"] or default["transformer"]
    return found[optimize]["name"]


def describe_foreign_hero(hero: str, lang: str) -> str | None:
    """What to say of a Hero that doesn't read the language; None where it does, or may."""
    if lang in ("en", "xx") or not ENGLISH.fullmatch(hero):
        return None
    return (
        f"The Hero {hero} was pretrained on English alone, and the language is {lang}. Take a "
        f"multilingual one, such as {MULTILINGUAL}, or distilbert-base-multilingual-cased, which "
        "has half as many layers."
    )


def find_language(lang: str) -> str:
    """spaCy's code of a language: ``eng`` is ``en``."""
    try:
        return str(get_lang_class(lang).lang)
    except ImportError as error:
        raise ValueError(
            "Unknown lang: expected the code of a language that spaCy has, such as en, de or xx "
            f"(any), got {lang!r}. See https://spacy.io/usage/models#languages"
        ) from error
