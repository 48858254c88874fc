"""Find a corpus's train, dev and test parts in a folder and convert each to .spacy."""

import argparse
import subprocess
import sys
from pathlib import Path

# What a part's file or folder has in its name, in the corpora that people publish.
NAMES = {"train": ["train"], "dev": ["dev", "valid", "testa"], "test": ["test"]}


def main() -> None:
    """Convert SOURCE's parts, each a file or a folder, to CORPUS/{train,dev,test}.spacy."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--lang", default="en")
    args = parser.parse_args()
    if not args.source.is_dir():
        sys.exit(
            f"{args.source} is no folder. Name the one that holds the train, dev and test files: "
            "--vars.source FOLDER"
        )
    parts = {part: find_part(args.source, part) for part in NAMES}
    for part, path in parts.items():
        output = args.corpus / f"{part}.spacy"
        command = [sys.executable, "-m", "spacy", "hgn", "convert", "--lang", args.lang]
        if subprocess.run([*command, str(path), str(output)]).returncode:
            sys.exit(1)


def find_part(source: Path, part: str) -> Path:
    """The one file or folder in SOURCE that the part's names fit; exit if there isn't one."""
    others = [name for other, names in NAMES.items() if other != part for name in names]
    fitting = [
        path
        for path in sorted(source.iterdir())
        if has_any(path, NAMES[part]) and not (has_any(path, others) and part == "test")
    ]
    if len(fitting) != 1:
        found = ", ".join(path.name for path in sorted(source.iterdir())) or "nothing"
        sys.exit(
            f"{source}: expected one file or folder with {' or '.join(NAMES[part])} in its name, "
            f"as its {part} part; it holds {found}."
        )
    return fitting[0]


def has_any(path: Path, names: list[str]) -> bool:
    """Whether the file's name has one of the names in it."""
    return any(name in path.name.lower() for name in names)


if __name__ == "__main__":
    main()
