"""Bring a corpus's files into assets/, from $HGN_ASSETS or from their published address.

Weasel's own ``spacy project assets`` leaves a file with a wrong checksum, or none, with exit
status 0, and stops with a traceback where there is no network. This one says what is missing.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import srsly

PROJECT = Path(__file__).parent.parent
ASSETS = PROJECT / "assets"


def main() -> None:
    """Fetch the assets whose destination is assets/CORPUS/."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("corpus", help="name of the corpus's folder in assets/")
    corpus = parser.parse_args().corpus
    assets = find_assets(f"assets/{corpus}")
    if not assets:
        sys.exit(f"project.yml lists no asset for {corpus!r}.")
    for asset in assets:
        fetch(asset)


def find_assets(folder: str) -> list[dict[str, Any]]:
    """What project.yml lists for a folder."""
    assets = srsly.read_yaml(PROJECT / "project.yml")["assets"]
    return [asset for asset in assets if Path(asset["dest"]).parent == Path(folder)]


def fetch(asset: dict[str, Any]) -> None:
    """Put one asset at its place unless it is there already; exit where that can't be."""
    dest = PROJECT / asset["dest"]
    if dest.exists():
        check(dest, asset, f"Delete {dest}, and run the command again.")
    else:
        dest.parent.mkdir(parents=True, exist_ok=True)
        # Elsewhere first: no half of a file, and none with a wrong checksum, is taken for it.
        with tempfile.TemporaryDirectory(dir=ASSETS) as folder:
            path = Path(folder) / dest.name
            if "HGN_ASSETS" in os.environ:
                copy(asset, path)
            else:
                download(asset, path)
            path.replace(dest)
    print(f"{asset['dest']}: there, checksum {asset['checksum']}")


def copy(asset: dict[str, Any], path: Path) -> None:
    """Take the file from the folder that $HGN_ASSETS names."""
    source = os.environ["HGN_ASSETS"] / Path(asset["dest"]).relative_to("assets")
    advice = f"Correct the variable, or unset it to download {asset['url']}."
    if not source.exists():
        sys.exit(f"{source}: expected the file there, for HGN_ASSETS names this folder. {advice}")
    shutil.copyfile(source, path)
    check(path, asset, f"It comes from {source}, for HGN_ASSETS names this folder. {advice}")


def download(asset: dict[str, Any], path: Path) -> None:
    """Take the file from its published address."""
    try:
        with urllib.request.urlopen(asset["url"], timeout=60) as response, path.open("wb") as out:
            shutil.copyfileobj(response, out)
    except (urllib.error.URLError, OSError) as error:
        sys.exit(
            f"Can't download {asset['url']}: {error}. Without a network, set HGN_ASSETS to a "
            f"folder that holds {Path(asset['dest']).relative_to('assets')}."
        )
    check(path, asset, f"It comes from {asset['url']}.")


def check(path: Path, asset: dict[str, Any], advice: str) -> None:
    """Exit unless the file has the asset's checksum."""
    found = hashlib.md5(path.read_bytes()).hexdigest()
    if found != asset["checksum"]:
        sys.exit(
            f"{asset['dest']}: wrong checksum. Expected {asset['checksum']}, got {found}. {advice}"
        )


if __name__ == "__main__":
    main()
