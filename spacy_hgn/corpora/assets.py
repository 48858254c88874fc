"""Published files as listed in a project.yml, with address, checksum and destination."""

import hashlib
from pathlib import Path
from typing import Any

import srsly

Asset = dict[str, Any]
"""An entry of project.yml's ``assets``."""


def list_assets(project: Path, folder: str | Path) -> list[Asset]:
    """The assets in a project's project.yml for a folder; empty without a project.yml."""
    path = project / "project.yml"
    listed = srsly.read_yaml(path).get("assets") if path.is_file() else None
    return [asset for asset in listed or [] if Path(asset["dest"]).parent == Path(folder)]


def compare_checksum(path: Path, asset: Asset) -> str | None:
    """An error message if a file isn't the published one; None if it is."""
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    expected = asset["checksum"]
    return None if found == expected else f"wrong checksum. Expected {expected}, got {found}."
