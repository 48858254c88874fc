"""Load an installed pipeline by name, list the entities of a text, write a displaCy page."""

import argparse
from pathlib import Path

import spacy
from spacy import displacy


def main() -> None:
    """Show what the pipeline finds in a text."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("package", help="name of the installed pipeline, such as en_hgn_demo")
    parser.add_argument("text", type=Path, help="text file, a blank line between paragraphs")
    parser.add_argument("page", type=Path, help="HTML file to write")
    args = parser.parse_args()
    nlp = spacy.load(args.package)
    docs = list(nlp.pipe(args.text.read_text(encoding="utf8").strip().split("\n\n")))
    for ent in (ent for doc in docs for ent in doc.ents):
        print(f"{ent.label_:<12} {ent.text}")
    args.page.parent.mkdir(parents=True, exist_ok=True)
    args.page.write_text(displacy.render(docs, style="ent", page=True), encoding="utf8")
    print(f"\nOpen {args.page} in a browser.")


if __name__ == "__main__":
    main()
