"""Bring a corpus's files into assets/, from $HGN_ASSETS or from their published address.

Weasel's own ``spacy project assets`` leaves a file with a wrong checksum, or none, with exit
status 0, and stops with a traceback where there is no network. This one says what is missing.
"""

import argparse
import hashlib
import os
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import srsly

PROJECT = Path(__file__).parent.parent


def main() -> None:
    """Fetch the assets whose destination is assets/CORPUS/."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("corpus", help="name of the corpus's folder in assets/")
    corpus = parser.parse_args().corpus
    assets = [
        asset
        for asset in srsly.read_yaml(PROJECT / "project.yml")["assets"]
        if Path(asset["dest"]).parent == Path("assets") / corpus
    ]
    if not assets:
        sys.exit(f"project.yml lists no asset for {corpus!r}.")
    for asset in assets:
        fetch(asset)
        print(f"{asset['dest']}: there, checksum {asset['checksum']}")


def fetch(asset: dict[str, Any]) -> None:
    """Put one asset at its place unless it is there already; exit where that can't be."""
    dest = PROJECT / asset["dest"]
    if not dest.exists():
        dest.parent.mkdir(parents=True, exist_ok=True)
        local = os.environ.get("HGN_ASSETS")
        if local:
            copy(Path(local) / dest.relative_to(PROJECT / "assets"), dest)
        else:
            download(asset["url"], dest)
    found = hashlib.md5(dest.read_bytes()).hexdigest()
    if found != asset["checksum"]:
        sys.exit(
            f"{asset['dest']}: wrong checksum. Expected {asset['checksum']}, got {found}. "
            "Delete the file and run the command again."
        )


def copy(source: Path, dest: Path) -> None:
    """Take the file from the folder that $HGN_ASSETS names."""
    if not source.exists():
        sys.exit(
            f"HGN_ASSETS names {os.environ['HGN_ASSETS']}, but {source} isn't there. Correct the "
            "variable, or unset it to download the file."
        )
    shutil.copyfile(source, dest)


def download(url: str, dest: Path) -> None:
    """Download the file, first under another name, so that no half of it is taken for it."""
    part = dest.with_suffix(dest.suffix + ".part")
    try:
        with urllib.request.urlopen(url, timeout=60) as response, part.open("wb") as out:
            shutil.copyfileobj(response, out)
    except (urllib.error.URLError, OSError) as error:
        part.unlink(missing_ok=True)
        sys.exit(
            f"Can't download {url}: {error}. Without a network, set HGN_ASSETS to a folder that "
            f"holds {dest.parent.name}/{dest.name}."
        )
    part.replace(dest)


if __name__ == "__main__":
    main()
