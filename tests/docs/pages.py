"""The pages of the documentation, and what they show."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = [
    path
    for pattern in ("*.md", "docs/*.md", "benchmarks/*.md", "experiments/*.md", "tests/*/*.md")
    for path in sorted(ROOT.glob(pattern))
]
INDENTED = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)


def blocks_of(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language on a page, in order."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return fence.findall(page.read_text(encoding="utf8"))


def commands_of(page: Path) -> list[str]:
    """The lines with a command of spaCy in fenced and indented blocks, continuations joined."""
    text = page.read_text(encoding="utf8")
    blocks = [*blocks_of(page, "bash"), *INDENTED.findall(text)]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line[line.index("-m spacy ") :] for line in lines if "-m spacy " in line]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()
