"""Convert a corpus's train, dev and test parts to .spacy, and check that they fit together."""

import argparse
import sys
from pathlib import Path

from wasabi import msg

from spacy_hgn.cli import hgn_cli
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.parts import find_parts
from spacy_hgn.corpora.stats import count_parts, describe_problems


def main() -> None:
    """Convert SOURCE's parts, each a file or a folder, to CORPUS/{train,dev,test}.spacy."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--lang", default="en")
    args = parser.parse_args()
    try:
        parts = find_parts(args.source)
    except CorpusError as error:
        sys.exit(str(error))
    for part, path in parts.items():
        convert = ["convert", "--lang", args.lang, str(path), str(args.corpus / f"{part}.spacy")]
        if hgn_cli(convert, standalone_mode=False):
            sys.exit(1)
    counts = count_parts(args.corpus)
    for problem in describe_problems(counts):
        msg.warn(problem)
    if not counts["train"].entities:
        sys.exit(f"{parts['train']}: expected entities to learn from, got none")


if __name__ == "__main__":
    main()
