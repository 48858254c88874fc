"""What the pages of the documentation show can be copied, and their links lead somewhere."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from spacy.util import load_config
from thinc.api import Config

import spacy_hgn

from .pages import PAGES, ROOT, blocks_of, name_of

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def settings_in(config: dict[str, Any], place: str = "") -> dict[str, Any]:
    """All settings of a config by their dotted names."""
    found = {}
    for name, value in config.items():
        if isinstance(value, dict):
            found.update(settings_in(value, f"{place}{name}."))
        else:
            found[place + name] = value
    return found


def configs_on(page: Path) -> list[dict[str, Any]]:
    """The settings of each config that a page shows a part of."""
    parts = blocks_of(page, "ini")
    return [settings_in(Config().from_str(with_parents(part), interpolate=False)) for part in parts]


def with_parents(part: str) -> str:
    """A part of a config, below the sections that it leaves out."""
    parents = [f"[{name}]\n" for name in ("components", "corpora", "training")]
    return "".join(parent for parent in parents if parent not in part) + part


def headings_of(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    headings = HEADING.findall(page.read_text(encoding="utf8"))
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for name, heading in LINK.findall(page.read_text(encoding="utf8")):
        target = page.parent / name if name else page
        assert target.exists(), name
        assert not heading or heading in headings_of(target), heading


def test_configs_have_no_comment_behind_a_value():
    """spaCy would take it for a part of the value."""
    shown = [config for page in PAGES for config in configs_on(page)]
    assert len(shown) >= 4
    for config in shown:
        assert not [value for value in config.values() if "#" in str(value)]


def test_the_config_in_the_readme_is_the_one_in_configs():
    whole = settings_in(load_config(ROOT / "configs" / "hgn.cfg", interpolate=False))
    (shown,) = configs_on(ROOT / "README.md")
    assert shown.items() <= whole.items()


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert citation["version"] == spacy_hgn.__version__
