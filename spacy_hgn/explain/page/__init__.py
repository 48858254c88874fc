"""One HTML page that shows an explanation: no link, font or script from elsewhere.

The text is data in it: escaped in the markup, and the page's Content-Security-Policy runs no
script but its own.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from spacy import displacy

from ..explanation import ExplainedEntity, Explanation

ENTITY = (
    '<mark class="entity" style="background: {bg}">{text}'
    '<span class="label">{label} <span class="score">{score}</span></span></mark>'
)
MOST_TAGS = 8
LEAST_PROBABLE = 0.0005
"""Tags that a token's details leave out."""

MOVES = {
    "starts_earlier": ("starts a token earlier", -1, 0),
    "starts_later": ("starts a token later", 1, 0),
    "ends_earlier": ("ends a token earlier", 0, -1),
    "ends_later": ("ends a token later", 0, 1),
}
BORDERS_NOTE = (
    "The score of each entity, and the probability of the same type with one border moved by one "
    "token. A dash: no entity can be there."
)
LAYERS_NOTE = (
    "The vectors that windows and Hero begin with are a learnt mix of the Hero's layers, the same "
    "for all texts. The shares sum to 1; layer 0 are the embeddings."
)
ROW = 6
"""Pixels from one member's row under a word to the next."""


def render_page(explanation: Explanation, title: str) -> str:
    """The page as HTML. title: plain text."""
    script = _read("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    n_tokens, n_entities = len(explanation.words), len(explanation.entities)
    return Template(_read("template.html")).substitute(
        title=escape(title),
        summary=f"{n_tokens:,} tokens, {n_entities:,} entities",
        note=escape(explanation.note),
        style=_read("style.css") + _heat_style(len(explanation.attended)),
        entities=_entities(explanation),
        switch=_switch(explanation),
        tokens=_tokens(explanation),
        layers=_layers(explanation),
        borders=_borders(explanation),
        data=_data(explanation),
        script=script,
        script_hash=f"sha256-{digest}",
    )


def _read(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf8")


def _entities(explanation: Explanation) -> str:
    starts, position = [], 0
    for word, space in zip(explanation.words, explanation.spaces):
        starts.append(position)
        position += len(word) + space
    found = [
        {
            "start": starts[entity.start],
            "end": starts[entity.end - 1] + len(explanation.words[entity.end - 1]),
            "label": entity.label,
            "params": {"label": escape(entity.label), "score": _format(entity.score)},
        }
        for entity in explanation.entities
    ]
    # The direction is that of the element around it, which goes by the text.
    settings = {"direction": "inherit"}
    figure = {"text": explanation.text, "ents": found, "title": None, "settings": settings}
    options = {"template": ENTITY}
    return displacy.render(figure, style="ent", manual=True, jupyter=False, options=options).strip()


def _switch(explanation: Explanation) -> str:
    """Radio buttons for what the heat map shows."""
    members = explanation.attended
    if not members:
        return ""
    names = [("all", "all, as rows from the top"), *enumerate(members)]
    buttons = [
        f'<label><input type="radio" name="show" value="{value}"'
        f"{' checked' if value == 'all' else ''}> {escape(name)}</label>"
        for value, name in names
    ]
    scale = f'<span class="scale">0 <i></i> {_greatest_weight(explanation):.2f}</span>'
    return f"<fieldset><legend>Show</legend>{''.join(buttons)}{scale}</fieldset>"


def _heat_style(members: int) -> str:
    """Styles of the heat map: a row a member under each word, or one member behind the words."""
    if not members:
        return ""
    heats = [f"rgb(var(--heat) / var(--w{i}))" for i in range(members)]
    rows = ", ".join(f"linear-gradient({heat} 0 0)" for heat in [*heats, "var(--panel)"])
    places = [f"0 calc(100% - {ROW * (members - 1 - i)}px)" for i in range(members)]
    sizes = [*[f"100% {ROW - 1}px"] * members, f"100% {ROW * members}px"]
    styles = [
        f'.tokens[data-show="all"] {{ line-height: calc(1.9em + {ROW * members}px); }}',
        f'.tokens[data-show="all"] .token {{ padding-bottom: {ROW * members + 2}px; '
        f"background: {rows}; background-repeat: no-repeat; "
        f"background-position: {', '.join([*places, '0 100%'])}; "
        f"background-size: {', '.join(sizes)}; }}",
    ]
    for i, heat in enumerate(heats):
        styles.append(f'.tokens[data-show="{i}"] .token {{ background: {heat}; }}')
    return "\n".join(styles) + "\n"


def _tokens(explanation: Explanation) -> str:
    """The text, each token that isn't white space in an element with its weights."""
    inside = {i for entity in explanation.entities for i in range(entity.start, entity.end)}
    greatest = _greatest_weight(explanation)
    members = explanation.attended
    best = explanation.probabilities.argmax(axis=1)
    parts, is_first = [], True
    for i, (word, space) in enumerate(zip(explanation.words, explanation.spaces)):
        if word.isspace():
            parts.append(escape(word) + " " * space)
            continue
        weights = _weights_of(explanation, i)
        tag, share = explanation.tags[best[i]], explanation.probabilities[i, best[i]]
        title = [f"{name} {weight:.2f}" for name, weight in zip(members, weights)]
        title.append(f"{tag} {share:.2f}")
        heat = ";".join(f"--w{n}:{weight / greatest:.3f}" for n, weight in enumerate(weights))
        parts.append(
            f'<span class="token{" in-entity" if i in inside else ""}" role="button" '
            f'aria-pressed="false" tabindex="{0 if is_first else -1}" data-token="{i}" '
            f'style="{heat}" title="{escape(", ".join(title))}">{escape(word)}</span>' + " " * space
        )
        is_first = False
    return "".join(parts)


def _layers(explanation: Explanation) -> str:
    """The mix of the Hero's layers; nothing where there is none."""
    if explanation.layers is None:
        return ""
    greatest = max(share for _, share in explanation.layers)
    rows = "".join(
        f'<tr><th scope="row">{number}</th>'
        f'<td class="bar"><i style="width: {share / greatest:.1%}"></i></td>'
        f'<td class="number">{_format(share)}</td></tr>'
        for number, share in explanation.layers
    )
    return (
        f'<h3>Layers of the Hero</h3><p class="note">{LAYERS_NOTE}</p>'
        f'<table class="layers"><tbody>{rows}</tbody></table>'
    )


def _borders(explanation: Explanation) -> str:
    if not explanation.entities:
        return '<p class="note">There is no entity.</p>'
    names = ("entity", "type", "score", *(name for name, _, _ in MOVES.values()))
    header = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(f"<tr>{_border_cells(explanation, each)}</tr>" for each in explanation.entities)
    return (
        f'<p class="note">{BORDERS_NOTE}</p><div class="scroll"><table class="borders">'
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _border_cells(explanation: Explanation, entity: ExplainedEntity) -> str:
    cells = [
        f'<th scope="row"><bdi>{escape(_part(explanation, entity.start, entity.end))}</bdi></th>',
        f"<td>{escape(entity.label)}</td>",
        f'<td class="number">{_format(entity.score)}</td>',
    ]
    for attribute, (_, start, end) in MOVES.items():
        share = getattr(entity, attribute)
        if share is None:
            cells.append('<td class="none">&ndash;</td>')
            continue
        moved = escape(_part(explanation, entity.start + start, entity.end + end))
        cells.append(
            f'<td class="move" style="--p:{share:.3f}">{_format(share)}'
            f"<small><bdi>{moved}</bdi></small></td>"
        )
    return "".join(cells)


def _data(explanation: Explanation) -> str:
    """What the script reads, as JSON that can't end the element it is in."""
    tokens = [
        [[round(weight, 4) for weight in _weights_of(explanation, i)], _best_tags(row.tolist())]
        for i, row in enumerate(explanation.probabilities)
    ]
    data = {"members": explanation.attended, "tags": explanation.tags, "tokens": tokens}
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _best_tags(probabilities: Sequence[float]) -> list[tuple[int, float]]:
    """The most probable tags, each with its probability."""
    ranked = sorted(enumerate(probabilities), key=lambda pair: -pair[1])[:MOST_TAGS]
    return [(tag, round(share, 4)) for tag, share in ranked if share >= LEAST_PROBABLE]


def _weights_of(explanation: Explanation, token: int) -> list[float]:
    """The weights that the attention gives to its members."""
    if explanation.weights is None:
        return []
    return explanation.weights[token, : len(explanation.attended)].tolist()


def _greatest_weight(explanation: Explanation) -> float:
    """The end of the scale."""
    if explanation.weights is None:
        return 1.0
    return float(explanation.weights[:, : len(explanation.attended)].max(initial=1e-6))


def _part(explanation: Explanation, start: int, end: int) -> str:
    words = zip(explanation.words[start:end], explanation.spaces[start:end])
    return "".join(word + " " * space for word, space in words).rstrip()


def _format(share: float) -> str:
    return "&lt; 0.001" if 0 < share < 0.0005 else f"{share:.3f}"
