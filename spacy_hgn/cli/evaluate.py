"""spaCy's own ``evaluate --displacy-path``, which only draws entities of the factory ``ner``."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import spacy.cli
from spacy.tokens import Doc


def draw_all_entities() -> None:
    """Have ``evaluate`` draw all entities, whichever component set them."""
    module: Any = sys.modules[spacy.cli.evaluate.__module__]  # its function has the same name
    module.render_parses = _drawing_entities(module.render_parses)


def _drawing_entities(render: Callable) -> Callable:
    @functools.wraps(render)
    def render_with_entities(docs: Sequence[Doc], *args: Any, ents: bool, **settings: Any) -> None:
        is_annotated = any(doc.has_annotation("ENT_IOB") for doc in docs)
        render(docs, *args, ents=ents or is_annotated, **settings)

    return render_with_entities
