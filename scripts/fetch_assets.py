"""Bring a corpus's files into assets/, from $HGN_ASSETS or from their published address.

Weasel's own ``spacy project assets`` leaves a file with a wrong checksum, or none, with exit
status 0, and stops with a traceback where there is no network. This one says what is missing.
"""

import argparse
import os
import shutil
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from spacy_hgn.corpora.assets import Asset, compare_checksum, list_assets

PROJECT = Path(__file__).parent.parent
ASSETS = PROJECT / "assets"


def main() -> None:
    """Fetch the assets whose destination is assets/CORPUS/."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("corpus", help="name of the corpus's folder in assets/")
    corpus = parser.parse_args().corpus
    assets = list_assets(PROJECT, f"assets/{corpus}")
    if not assets:
        sys.exit(f"project.yml lists no asset for {corpus!r}.")
    for asset in assets:
        fetch(asset)


def fetch(asset: Asset) -> None:
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


def copy(asset: Asset, path: Path) -> None:
    """Take the file from the folder that $HGN_ASSETS names."""
    source = os.environ["HGN_ASSETS"] / Path(asset["dest"]).relative_to("assets")
    advice = f"Correct the variable, or unset it to download {asset['url']}."
    if not source.exists():
        sys.exit(f"{source}: expected the file there, for HGN_ASSETS names this folder. {advice}")
    shutil.copyfile(source, path)
    check(path, asset, f"It comes from {source}, for HGN_ASSETS names this folder. {advice}")


def download(asset: Asset, path: Path) -> None:
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


def check(path: Path, asset: Asset, advice: str) -> None:
    """Exit unless the file has the asset's checksum."""
    if problem := compare_checksum(path, asset):
        sys.exit(f"{asset['dest']}: {problem} {advice}")


if __name__ == "__main__":
    main()
