"""Write a page that shows a pipeline: its scores on test, and gold beside prediction.

The step ``show`` of the workflow ``build``.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
import srsly
from compared_sentences import (
    ERRORS,
    RIGHT,
    ComparedEntity,
    Entity,
    Sentence,
    choose,
    compare_sentences,
)
from fetch_hero import full_name
from jinja2 import FileSystemLoader
from markupsafe import Markup
from spacy.cli._util import setup_gpu
from spacy.displacy.render import EntityRenderer
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Corpus

from spacy_hgn.corpora.stats import Counts, count_parts
from spacy_hgn.entities.score import score_of
from spacy_hgn.explain.page import page_environment

SHOWN = 24
"""Sentences of test."""

SPACE_BEFORE = re.compile(r"\s+(?=[,.;:?!)%]|n't\b|['\u2019](s|m|re|ve|ll|d)\b)")
"""What isn't there in a text, but is between the tokens of one whose spaces aren't known."""

Passage = tuple[str, ComparedEntity | None]
"""A part of a text, and the entity that it is."""


def main() -> None:
    """Write the page of an installed pipeline."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("package", help="name of the installed pipeline, such as en_hgn_demo")
    parser.add_argument("corpus", type=Path, help="folder with train, dev and test .spacy files")
    parser.add_argument("metrics", type=Path, help="what spacy evaluate wrote for test")
    parser.add_argument("page", type=Path, help="HTML file to write")
    parser.add_argument("--text", default="", help="text file, a blank line between paragraphs")
    parser.add_argument("--gpu-id", type=int, default=-1)
    args = parser.parse_args()
    setup_gpu(args.gpu_id, silent=True)
    try:
        nlp = spacy.load(args.package)
        text = Path(args.text).read_text(encoding="utf8") if args.text else ""
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    examples = list(Corpus(args.corpus / "test.spacy")(nlp))
    for example, doc in zip(examples, nlp.pipe(eg.predicted for eg in examples)):
        example.predicted = doc
    docs = list(nlp.pipe(text.strip().split("\n\n"))) if text else []
    components = nlp.config.interpolate()["components"]
    page = render(
        nlp,
        counts=count_parts(args.corpus),
        scores=srsly.read_json(args.metrics),
        sentences=list(compare_sentences(examples)),
        docs=docs,
        hero=full_name(components["transformer"]["model"]["name"]),
    )
    args.page.parent.mkdir(parents=True, exist_ok=True)
    args.page.write_text(page, encoding="utf8")


def render(
    nlp: Language,
    counts: dict[str, Counts],
    scores: dict[str, Any],
    sentences: Sequence[Sentence],
    docs: Sequence[Doc],
    hero: str,
) -> str:
    """The page as HTML.

    sentences: all of test. docs: other texts, whose gold isn't known. hero: the Transformer's name.
    """
    environment = page_environment(FileSystemLoader(Path(__file__).parent / "page"))
    environment.filters.update(percent=percent, plural=plural)
    telling = [each for each in sentences if each.gold or each.predicted]
    shown = choose(telling, SHOWN)
    diagram = nlp.path / "reliability.svg"
    return environment.get_template("entities.html").render(
        package=f"{nlp.lang}_{nlp.meta['name']}",
        meta=nlp.meta,
        model=nlp.config.interpolate()["components"]["hgn_ner"]["model"],
        hero=hero,
        counts=counts,
        scores=scores,
        types=types(nlp.get_pipe("hgn_ner").labels, counts["test"], scores),
        colors=choose_colors(nlp.get_pipe("hgn_ner").labels),
        outcomes=count_outcomes(sentences),
        telling=len(telling),
        wrong_of_all=share_wrong(telling),
        wrong_of_shown=share_wrong(shown),
        sentences=[(each, show(each, each.gold), show(each, each.predicted)) for each in shown],
        paragraphs=[split(doc.text, entities_of(doc)) for doc in docs],
        diagram=Markup(diagram.read_text(encoding="utf8")) if diagram.exists() else "",
    )


def types(labels: Sequence[str], test: Counts, scores: dict[str, Any]) -> list[dict[str, Any]]:
    """Each type with its entities in test and what it scores there, the most frequent first."""
    found = scores["ents_per_type"] or {}
    nothing = {"p": None, "r": None, "f": None}
    rows = [
        {"label": label, "entities": test.types.get(label, 0), **found.get(label, nothing)}
        for label in labels
    ]
    return sorted(rows, key=lambda row: -row["entities"])


def choose_colors(labels: Sequence[str]) -> dict[str, str]:
    """displaCy's colour for each type, and one of its own for a type that displaCy has none for."""
    known = EntityRenderer().colors
    return {
        label: known.get(label.upper(), f"hsl({i * 137 % 360} 60% 80%)")
        for i, label in enumerate(labels)
    }


def count_outcomes(sentences: Sequence[Sentence]) -> dict[str, int]:
    """How many entities came out right, and how many wrong in each way."""
    found = Counter(outcome for each in sentences for outcome in each.outcomes)
    return {name: found[name] for name in (RIGHT, *ERRORS)}


def share_wrong(sentences: Sequence[Sentence]) -> float:
    """The share of sentences that have an error."""
    return sum(bool(each.errors) for each in sentences) / max(len(sentences), 1)


def show(sentence: Sentence, entities: Sequence[ComparedEntity]) -> list[Passage]:
    """The sentence with some of its entities, as one writes it."""
    passages = split(sentence.text, entities)
    if sentence.has_spaces:
        return passages
    return [(SPACE_BEFORE.sub("", text), entity) for text, entity in passages]


def split(text: str, entities: Sequence[ComparedEntity]) -> list[Passage]:
    """The text in order, each part with its entity, or None."""
    passages: list[Passage] = []
    last = 0
    for each in entities:
        start, end, _ = each.entity
        passages += [(text[last:start], None), (text[start:end], each)]
        last = end
    return [*passages, (text[last:], None)]


def entities_of(doc: Doc) -> list[ComparedEntity]:
    """The predicted entities of a text that has no annotation."""
    return [
        ComparedEntity(Entity(ent.start_char, ent.end_char, ent.label_), "", score_of(ent))
        for ent in doc.ents
    ]


def percent(share: float | None) -> str:
    """With one digit; a dash for what there is none of."""
    return "\N{EN DASH}" if share is None else f"{100 * share:.1f}"


def plural(number: int, noun: str) -> str:
    """As in 1,024 entities."""
    plurals = {"entity": "entities"}
    return f"{number:,} {noun if number == 1 else plurals.get(noun, f'{noun}s')}"


if __name__ == "__main__":
    main()
