"""The package's folders are floors: what stands on one imports from those below it alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "spacy_hgn"
FLOORS = [
    "util",
    "backend",
    "hero",
    "gang",
    "fusion",
    "tagger",
    "tags",
    "entities",
    "explain",
    "training",
    "architectures",
    "hgn_ner",
    "heads",
    "corpora",
    "annotate",
    "experiments",
    "cli",
]


def test_every_folder_and_module_has_its_floor() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if _is_python(path)}
    assert found - {"__init__"} == set(FLOORS)


@pytest.mark.parametrize("floor", FLOORS)
def test_no_floor_imports_a_higher_one(floor: str) -> None:
    higher = FLOORS[FLOORS.index(floor) + 1 :]
    path = PACKAGE / floor
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    upward = {
        f"{file.relative_to(PACKAGE)} imports {module}"
        for file in files
        for module in _imports(file)
        if module.split(".")[0] in higher
    }
    assert not upward


def _imports(file: Path) -> Iterator[str]:
    """What a file imports from the package, whether at its head or in a function."""
    package = ("spacy_hgn", *file.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name.removeprefix("spacy_hgn.") for name in names if name != "spacy_hgn")


def _is_python(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()
