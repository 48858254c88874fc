"""A grid's Heroes: whether those that are folders are there."""

import re
from collections.abc import Sequence
from pathlib import Path

from .errors import GridError
from .grid import Run

FETCHED = "hero/"
"""The project's own folder, which scripts/fetch_hero.py fills."""

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
"""What may be the name of a model on the Hugging Face hub. All else is a folder."""


def check_heroes(runs: Sequence[Run]) -> None:
    """Raise GridError for a Hero that is a folder, and not there. The hub isn't asked."""
    for name, hero in {str(run.overrides["vars.hero"]): run.hero for run in runs}.items():
        is_folder = name.startswith(FETCHED) or not HUB_NAME.fullmatch(name)
        if is_folder and not (Path(name) / "config.json").is_file():
            raise GridError(
                f"Hero {hero}: expected a folder {name} with config.json, got none. "
                f"{_advise(name)}, or leave it out by --only hero=..."
            )


def _advise(name: str) -> str:
    if name.startswith(FETCHED):
        return f"Fetch it: python scripts/fetch_hero.py {Path(name).name}"
    return "Put it there, name a model on the Hugging Face hub"
