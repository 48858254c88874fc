"""Load an installed pipeline by name, list the entities of a text, write a displaCy page."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy import displacy


def main() -> None:
    """Show what the pipeline finds in a text."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("package", help="name of the installed pipeline, such as en_hgn_demo")
    parser.add_argument("text", type=Path, help="text file, a blank line between paragraphs")
    parser.add_argument("page", type=Path, help="HTML file to write")
    args = parser.parse_args()
    try:
        nlp, text = spacy.load(args.package), args.text.read_text(encoding="utf8")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    docs = list(nlp.pipe(text.strip().split("\n\n")))
    figures = [*map(displacy.parse_ents, docs), legend(nlp.get_pipe("hgn_ner").labels)]
    for ent in (ent for doc in docs for ent in doc.ents):
        print(f"{ent.label_:<12} {ent.text}")
    args.page.parent.mkdir(parents=True, exist_ok=True)
    page = displacy.render(figures, style="ent", page=True, manual=True)
    args.page.write_text(page, encoding="utf8")
    print(f"\nOpen {args.page} in a browser.")


def legend(labels: Sequence[str]) -> dict[str, Any]:
    """A figure with every type that the pipeline knows."""
    text, ents = "", []
    for label in labels:
        ents.append({"start": len(text), "end": len(text) + 1, "label": label})
        text += "\N{BULLET} "
    return {"text": text, "ents": ents, "title": "All types"}


if __name__ == "__main__":
    main()
