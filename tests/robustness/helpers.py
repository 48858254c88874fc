"""Pipelines that hard input is fed to."""

from pathlib import Path
from typing import Any

import spacy
import srsly
from component.helpers import make_examples, transformer_config
from spacy.language import Language
from thinc.api import fix_random_seed

from spacy_hgn.hero.hero_files import hero_to_bytes

PIPELINES = [
    ("bert", "bio", "viterbi"),
    ("roberta", "biluo", "viterbi"),
    ("xlnet", "bio", "argmax"),
    ("deberta", "biluo", "argmax"),
]
"""Heroes, tag schemes and decoders."""


def make_pipeline(hero: Path, **settings: Any) -> Language:
    """transformer and hgn_ner with random weights. settings: of hgn_ner."""
    fix_random_seed(0)
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=transformer_config(str(hero)))
    nlp.add_pipe("hgn_ner", config={"model": {"windows": [1, 3]}, **settings})
    examples = make_examples(nlp)
    nlp.initialize(lambda: examples)
    return nlp


def hero_message(nlp: Language) -> dict[str, Any]:
    """What the bytes of a pipeline's Hero hold."""
    hero = nlp.get_pipe("transformer").model.shim._hfmodel
    return srsly.msgpack_loads(hero_to_bytes(hero))
