"""The site has the repository's layout: its pages link to each other as they do there.

What a page links to is on the site too, be it a page, a figure, a config or a folder's README.
"""

import posixpath
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STYLE = "docs/site/extra.css"
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
sys.path.insert(0, str(HERE))

import reference  # noqa: E402


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The pages of the navigation, and all that they link to, in place of a folder's files."""
    written = dict(reference.pages())
    found = [file for file in files if file.src_dir != config.docs_dir]  # the theme's
    found += [File.generated(config, path, content=text) for path, text in written.items()]
    linked = _linked(path for path in _pages_of(config.nav) if path not in written)
    for path in sorted(linked | {STYLE}):
        found.append(File(path, str(ROOT), config.site_dir, config.use_directory_urls))
    return Files(found)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to a folder lead to its README."""
    here = posixpath.dirname(page.file.src_uri)

    def lead_to_readme(match: re.Match[str]) -> str:
        readme = posixpath.normpath(posixpath.join(here, match[1], "README.md"))
        return match[0] + "/README.md" * (readme in files.src_uris)

    return re.sub(r"\]\((?!\w+:|#)([^)#\s]+?)/?(?=[)#])", lead_to_readme, markdown)


def _pages_of(nav: Iterable) -> Iterable[str]:
    for entry in nav:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else _pages_of(target)


def _linked(pages: Iterable[str]) -> set[str]:
    """The pages and, in turn, all files of the repository that they link to."""
    found: set[str] = set()
    waiting = list(pages)
    while waiting:
        path = waiting.pop()
        if (ROOT / path).is_dir():
            path = posixpath.join(path, "README.md")
        if path in found or not (ROOT / path).is_file():
            continue
        found.add(path)
        if path.endswith(".md"):
            links = LINK.findall((ROOT / path).read_text(encoding="utf8"))
            here = posixpath.dirname(path)
            waiting += [posixpath.normpath(posixpath.join(here, link)) for link in links]
    return found
