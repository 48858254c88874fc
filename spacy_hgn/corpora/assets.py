"""Published files, as a project.yml lists them: address, checksum, and where they go."""

import hashlib
from pathlib import Path
from typing import Any

import srsly

Asset = dict[str, Any]
"""An entry of project.yml's ``assets``."""


def list_assets(project: Path, folder: str | Path) -> list[Asset]:
    """What the project.yml of a project lists for a folder; nothing where there is none."""
    path = project / "project.yml"
    listed = srsly.read_yaml(path).get("assets") if path.is_file() else None
    return [asset for asset in listed or [] if Path(asset["dest"]).parent == Path(folder)]


def compare_checksum(path: Path, asset: Asset) -> str | None:
    """What is wrong if a file isn't the published one; None if it is."""
    found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    expected = asset["checksum"]
    return None if found == expected else f"wrong checksum. Expected {expected}, got {found}."
