"""Convert a corpus's train, dev and test parts to .spacy, and check that they fit together."""

import argparse
import sys
from pathlib import Path

from wasabi import msg

from spacy_hgn.cli import hgn_cli
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.parts import find_parts, find_passed_over
from spacy_hgn.corpora.stats import count_parts, describe_problems

FLAGS = ("comments", "lenient")
VALUES = ("format", "delimiter", "column", "token_column", "scheme", "tag_names", "ignore")
VALUES += ("rejected", "offsets", "merge", "lang")
"""The options of ``spacy hgn convert`` that project.yml has vars for."""


def main() -> None:
    """Convert SOURCE's parts, each a file or a folder, to CORPUS/{train,dev,test}.spacy.

    The options are those of spacy hgn convert. One with an empty value counts as not given.
    """
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    parser.add_argument("source")
    parser.add_argument("corpus")
    for name in VALUES:
        parser.add_argument(f"--{name}", default="")
    for name in FLAGS:
        parser.add_argument(f"--{name}", default="", choices=["", "true", "True", "false", "False"])
    args = parser.parse_args()
    for name, folder in (("name", args.corpus.removeprefix("corpus/")), ("source", args.source)):
        if not folder:
            sys.exit(
                f"Expected --vars.{name}, got none. The workflow build needs --vars.name and "
                "--vars.source; the commands demo, wnut17 ... custom have them."
            )
    source, corpus = Path(args.source), Path(args.corpus)
    options = make_options(vars(args))
    try:
        parts = find_parts(source)
    except CorpusError as error:
        sys.exit(str(error))
    for path in find_passed_over(source):
        msg.info(f"Skipped {path}: the test part is another one")
    for part, path in parts.items():
        convert = ["convert", *options, str(path), str(corpus / f"{part}.spacy")]
        if hgn_cli(convert, standalone_mode=False):
            msg.info("In the project, options are vars: --lenient is --vars.lenient true")
            sys.exit(1)
    counts = count_parts(corpus)
    for problem in describe_problems(counts):
        msg.warn(problem)
    for part, purpose in (("train", "learn from"), ("dev", "choose a checkpoint by")):
        if not counts[part].entities:
            sys.exit(f"{parts[part]}: expected entities to {purpose}, got none")


def make_options(given: dict[str, str]) -> list[str]:
    """Options of ``spacy hgn convert``."""
    values = [f"--{name.replace('_', '-')}={given[name]}" for name in VALUES if given[name]]
    return values + [f"--{name}" for name in FLAGS if given[name].lower() == "true"]


if __name__ == "__main__":
    main()
