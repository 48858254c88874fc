"""Pages with sentences on which two systems differ, like the paper's Figure 4."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import spacy
from jinja2 import Template
from markupsafe import Markup
from spacy import displacy
from spacy.tokens import Doc

from ..corpora.parts import iterate_docs
from .corpora import CorpusParts
from .results import Cell, Results
from .scores import Mention, count

SHOWN = 15
"""The maximum number of sentences per kind."""

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 90rem; margin: 2rem auto }
section { display: grid; grid-template-columns: 1fr 1fr 1fr; gap: 2rem; border-top: 1px solid #ccc }
</style>
<h1>{{ title }}</h1>
<p>The systems differ in {{ sentences | length }} of {{ total }} sentences of {{ part }}. An error
is a spurious or a missed entity. The page shows up to {{ shown }} sentences of each kind, with the
largest differences first.</p>
{% for kind, of_kind in sentences | groupby("kind") -%}
<h2>{{ kind }}: {{ of_kind | length }} sentences</h2>
{% for sentence in of_kind[:shown] -%}
<section>
{% for who, drawing in sentence.drawings.items() -%}
<div><small>{{ who }}</small>{{ drawing }}</div>
{% endfor -%}
</section>
{% endfor -%}
{% endfor -%}
</html>
"""


def draw_pages(results: Results, corpora: Mapping[str, CorpusParts], folder: Path) -> list[Path]:
    """Draw a page for each protocol, corpus and Hero that has two systems with the same seed.

    corpora: by name. Runs on other versions of them are skipped.
    """
    drawn = []
    for cells in filter(None, (_choose(results, of_hero) for of_hero in results.by_hero)):
        corpus = corpora.get(cells[0].corpus)
        if corpus and (page := _draw_page(results, cells, corpus)):
            folder.mkdir(parents=True, exist_ok=True)
            drawn.append(folder / cells[0].file("html"))
            drawn[-1].write_text(page, encoding="utf8")
    return drawn


def _choose(results: Results, cells: Sequence[Cell]) -> tuple[Cell, Cell] | None:
    """The two systems in the grid file, or the baseline and the best other one."""
    by_name = {cell.system: cell for cell in cells}
    names = results.grid.report.compare
    if not names:
        means = {cell.system: sum(cell.scores()) / len(cell.records) for cell in cells}
        means.pop(results.baseline, None)
        names = (results.baseline, max(means, key=means.__getitem__, default=""))
    return (by_name[names[0]], by_name[names[1]]) if set(names) <= by_name.keys() else None


def _draw_page(results: Results, cells: tuple[Cell, Cell], corpus: CorpusParts) -> str | None:
    """The page of two systems, with the first seed that both have."""
    one, other = (
        {
            record["seed"]: record
            for record in cell.records
            if record["corpus_digest"] == corpus.digest
        }
        for cell in cells
    )
    seed = next((seed for seed in one if seed in other), None)
    if seed is None:
        return None
    part = "test" if one[seed]["test"] else "dev"
    names = (cells[0].system, cells[1].system)
    columns = (
        iterate_docs(corpus.path(part), spacy.blank("xx")),
        results.records.read_gold(one[seed]),
        results.records.read_predictions(one[seed]),
        results.records.read_predictions(other[seed]),
    )
    rows = list(zip(*columns, strict=True))
    sentences = [_compare(names, *row) for row in rows if set(row[2]) != set(row[3])]
    where = f"{cells[0].corpus}, {cells[0].hero}, protocol {cells[0].protocol}, seed {seed}"
    return Template(TEMPLATE, autoescape=True).render(
        title=f"{names[0]} and {names[1]}: {where}",
        sentences=sorted(sentences, key=lambda sentence: -abs(sentence["gain"])),
        total=len(rows),
        part=part,
        shown=SHOWN,
    )


def _compare(names: Sequence[str], doc: Doc, *mentions: Sequence[Mention]) -> dict[str, Any]:
    """A sentence drawn three times. gain: how many errors fewer the second system makes.

    mentions: the gold ones, and those of the first and of the second system.
    """
    first, second = (count(mentions[0], of_system) for of_system in mentions[1:])
    gain = first.fp + first.fn - second.fp - second.fn
    better = f"{names[gain > 0]} makes fewer errors"
    drawings = {who: _draw(doc, found) for who, found in zip(("annotated", *names), mentions)}
    return {"gain": gain, "kind": better if gain else "Same number of errors", "drawings": drawings}


def _draw(doc: Doc, mentions: Sequence[Mention]) -> Markup:
    ents = [
        {"start": doc[start].idx, "end": doc[start:end].end_char, "label": label}
        for start, end, label in sorted(mentions)
    ]
    drawing = {"text": doc.text, "ents": ents}
    return Markup(displacy.render(drawing, style="ent", manual=True, page=False, jupyter=False))
