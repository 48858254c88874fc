"""Render an explanation as one HTML page, without external links, fonts or scripts.

The template escapes all text, and the page's Content-Security-Policy allows no script but its own.
"""

import base64
import hashlib
from importlib.resources import files
from itertools import accumulate
from typing import Any, NamedTuple

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from spacy.displacy.render import EntityRenderer

from ..explanation import ExplainedEntity, Explanation

MOVES = {
    "starts_earlier": ("starts a token earlier", -1, 0),
    "starts_later": ("starts a token later", 1, 0),
    "ends_earlier": ("ends a token earlier", 0, -1),
    "ends_later": ("ends a token later", 0, 1),
}
MOST_TAGS = 8
LEAST_PROBABLE = 0.0005
"""Tags with a lower probability are left out of a token's details."""


class Heat(NamedTuple):
    """A number from 0 to 1 per token, for the heat map."""

    name: str
    values: list[float]


def render_page(explanation: Explanation, title: str) -> str:
    """Render the page as HTML. title: plain text."""
    script = files(__name__).joinpath("script.js").read_text(encoding="utf8")
    heats = _heats(explanation)
    digest = hashlib.sha256(script.encode()).digest()
    environment = page_environment()
    environment.filters["score"] = _format
    return environment.get_template("template.html").render(
        title=title,
        explanation=explanation,
        passages=_passages(explanation),
        inside={i for each in explanation.entities for i in range(each.start, each.end)},
        heats=heats,
        sources=len(explanation.attended),
        data=_data(explanation, heats[1:]),
        boundaries=[(each, _boundaries(explanation, each)) for each in explanation.entities],
        script=Markup(script),
        script_hash=f"sha256-{base64.b64encode(digest).decode()}",
    )


def page_environment(*loaders: BaseLoader) -> Environment:
    """Where pages come from templates: everything is escaped, and a missing value is an error.

    loaders: are asked before this folder.
    """
    return Environment(
        loader=ChoiceLoader([*loaders, PackageLoader(__name__, "")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _format(share: float) -> str:
    return "< 0.001" if 0 < share < 0.0005 else f"{share:.3f}"


def _passages(explanation: Explanation) -> list[tuple[str, ExplainedEntity | None, str]]:
    """The parts of the text in order, each with its entity or None, and a colour."""
    renderer, text, found, last = EntityRenderer(), explanation.text, [], 0
    for entity in explanation.entities:
        part = _slice(explanation, entity.start, entity.end)
        color = renderer.colors.get(entity.label.upper(), renderer.default_color)
        found += [(text[last : part.start], None, ""), (text[part], entity, color)]
        last = part.stop
    return [*found, (text[last:], None, "")]


def _heats(explanation: Explanation) -> list[Heat]:
    """The numbers for the heat map; attention weights come last."""
    best = explanation.probabilities.max(axis=1, initial=0)
    heats = [Heat("doubt", (1 - best).tolist())]
    if explanation.fusion is not None:
        heats.append(Heat("all windows", explanation.shares.clip(0, 1).tolist()))
    weights = [] if explanation.weights is None else explanation.weights.T.tolist()
    return [*heats, *map(Heat, explanation.attended, weights)]


def _data(explanation: Explanation, weights: list[Heat]) -> dict[str, Any]:
    """The data for the script: each token's most probable tags by index, and its weights."""
    tokens = []
    for i, row in enumerate(explanation.probabilities.tolist()):
        ranked = sorted(enumerate(row), key=lambda pair: -pair[1])[:MOST_TAGS]
        probable = [(tag, round(share, 4)) for tag, share in ranked if share >= LEAST_PROBABLE]
        tokens.append((probable, [round(weight.values[i], 4) for weight in weights]))
    names = [weight.name for weight in weights]
    return {"tags": explanation.tags, "weights": names, "tokens": tokens}


def _boundaries(explanation: Explanation, entity: ExplainedEntity) -> list[tuple[str, Any, str]]:
    """The moves of an entity's boundaries, with probability or None, and text."""
    found = []
    for attribute, (name, start, end) in MOVES.items():
        share = getattr(entity, attribute)
        moved = ""
        if share is not None:
            moved = explanation.text[_slice(explanation, entity.start + start, entity.end + end)]
        found.append((name, share, moved.rstrip()))
    return found


def _slice(explanation: Explanation, start: int, end: int) -> slice:
    """The characters of the tokens from start up to end."""
    ends = list(accumulate(map(len, explanation.words), initial=0))
    blanks = list(accumulate(explanation.spaces, initial=0))
    return slice(ends[start] + blanks[start], ends[end] + blanks[end - 1])
