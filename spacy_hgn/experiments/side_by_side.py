"""Sentences that two systems differ in, drawn by displaCy on a page: the paper's Figure 4."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import spacy
from spacy import displacy
from spacy.tokens import Doc, DocBin

from .corpora import CorpusParts
from .results import Cell, Results
from .scores import Entity, count

SHOWN = 15
"""Sentences of a kind."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{
  font: 15px/1.5 system-ui, sans-serif; color: #222;
  max-width: 90rem; margin: 2rem auto; padding: 0 1rem;
}}
h2 {{ margin-top: 2.5rem; }}
.sentence {{
  display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 0 2rem;
  border-top: 1px solid #ccc; padding: .6rem 0;
}}
.who {{ font-size: .8rem; color: #666; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{summary}</p>
{sections}
</body>
</html>
"""


@dataclass(frozen=True)
class Sentence:
    """What is annotated in a sentence, and what two systems predict."""

    doc: Doc
    gold: list[Entity]
    first: list[Entity]
    second: list[Entity]

    @property
    def gain(self) -> int:
        """By how many errors fewer the second system makes."""
        return _count_errors(self.gold, self.first) - _count_errors(self.gold, self.second)


def find_page(folder: Path, cell: Cell) -> Path:
    """Where the page is that a cell is on."""
    return folder / "side-by-side" / f"{cell.protocol}-{cell.corpus}-{cell.hero}.html"


def draw_pages(results: Results, corpora: dict[str, CorpusParts]) -> list[Path]:
    """Draw a page for each protocol, corpus and Hero that has two systems with the same seed.

    corpora: by name, as they were when the runs were done; others are passed over.
    """
    drawn = []
    for cells in _pairs(results):
        first, second = cells
        seeds = [record["seed"] for record in second.records]
        shared = [record for record in first.records if record["seed"] in seeds]
        digest = corpora[first.corpus].digest if first.corpus in corpora else None
        if not shared or shared[0]["corpus_digest"] != digest:
            continue
        path = find_page(results.store.folder, first)
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = shared[0]["seed"]
        path.write_text(_draw(results, cells, seed, corpora[first.corpus]), encoding="utf8")
        drawn.append(path)
    return drawn


def _pairs(results: Results) -> list[tuple[Cell, Cell]]:
    """The two systems that the grid names; else Base and the best of the others."""
    found = []
    for protocol, corpus, hero in dict.fromkeys(cell.point[:3] for cell in results.cells):
        chosen = results.choose(protocol=protocol, corpus=corpus, hero=hero)
        cells = {cell.system: cell for cell in chosen}
        names = results.grid.report.get("compare") or _choose(results, cells)
        if len(names) == 2 and all(name in cells for name in names):
            found.append((cells[names[0]], cells[names[1]]))
    return found


def _choose(results: Results, cells: dict[str, Cell]) -> list[str]:
    others = [cell for name, cell in cells.items() if name != results.baseline]
    best = max(others, key=lambda cell: sum(cell.f1) / len(cell.f1), default=None)
    return [results.baseline, best.system] if best else []


def _draw(results: Results, cells: tuple[Cell, Cell], seed: int, corpus: CorpusParts) -> str:
    """The page of two systems."""
    records = [next(r for r in cell.records if r["seed"] == seed) for cell in cells]
    part = "test" if records[0]["test"] else "dev"
    docs = DocBin().from_disk(corpus.path(part)).get_docs(spacy.blank("en").vocab)
    gold = results.store.read_gold(records[0])
    first, second = (results.store.read_predictions(record) for record in records)
    all_sentences = [Sentence(*row) for row in zip(docs, gold, first, second, strict=True)]
    differing = [s for s in all_sentences if set(s.first) != set(s.second)]
    names = (cells[0].system, cells[1].system)
    kinds = {
        f"{names[1]} makes fewer errors": [s for s in differing if s.gain > 0],
        f"{names[0]} makes fewer errors": [s for s in differing if s.gain < 0],
        "As many errors, but others": [s for s in differing if s.gain == 0],
    }
    where = f"{cells[0].corpus}, {cells[0].hero}, protocol {cells[0].protocol}, seed {seed}"
    return PAGE.format(
        title=escape(f"{names[0]} and {names[1]}: {where}"),
        summary=escape(
            f"The systems differ in {len(differing):,} of {len(all_sentences):,} sentences of "
            f"{part}. An error is an entity predicted in vain, or missed. Of each kind up to "
            f"{SHOWN} sentences are drawn, those with the greatest difference first."
        ),
        sections="\n".join(_draw_kind(kind, of_kind, names) for kind, of_kind in kinds.items()),
    )


def _draw_kind(kind: str, sentences: Sequence[Sentence], names: tuple[str, str]) -> str:
    """Sentences with the greatest difference first, then in the corpus's order."""
    shown = sorted(sentences, key=lambda sentence: -abs(sentence.gain))[:SHOWN]
    rows = []
    for sentence in shown:
        drawings = zip(
            ("annotated", *names), (sentence.gold, sentence.first, sentence.second), strict=True
        )
        columns = [_draw_entities(who, sentence.doc, entities) for who, entities in drawings]
        rows.append(f'<div class="sentence">{"".join(columns)}</div>')
    return f"<h2>{escape(kind)}: {len(sentences):,} sentences</h2>\n" + "\n".join(rows)


def _draw_entities(who: str, doc: Doc, entities: Sequence[Entity]) -> str:
    spans = [doc[start:end] for start, end, _ in entities]
    ents = [
        {"start": span.start_char, "end": span.end_char, "label": label}
        for span, (_, _, label) in sorted(zip(spans, entities), key=lambda pair: pair[1])
    ]
    drawn = displacy.render(
        {"text": doc.text, "ents": ents}, style="ent", manual=True, page=False, jupyter=False
    )
    return f'<div><div class="who">{escape(who)}</div>{drawn}</div>'


def _count_errors(gold: Sequence[Entity], predicted: Sequence[Entity]) -> int:
    _, in_vain, missed = count(gold, predicted)
    return in_vain + missed
