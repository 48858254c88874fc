"""Pages of the reference, made of the code: what is imported, registered and typed."""

import inspect
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distribution
from typing import Any

from spacy.language import Language
from typer import Context
from typer.cli import get_docs_for_click
from typer.main import get_command

import spacy_hgn
from spacy_hgn.cli import hgn_cli

KINDS = {
    "spacy_factories": "Components",
    "spacy_architectures": "Architectures",
    "thinc_optimizers": "Optimizers",
    "spacy_loggers": "Loggers",
    "spacy_readers": "Readers",
    "spacy_batchers": "Batchers",
    "spacy_callbacks": "Callbacks",
}
NOT_SETTINGS = ("nlp", "name", "self")
REQUIRED = "*required*"


def pages() -> Iterator[tuple[str, str]]:
    """Each page's path on the site, and its Markdown."""
    yield "docs/reference/python.md", "\n\n".join(_python())
    yield "docs/reference/settings.md", "\n\n".join(_settings())
    yield "docs/reference/commands.md", _commands()


def _python() -> Iterator[str]:
    """What ``spacy_hgn`` exports, for mkdocstrings to fill in."""
    yield "# Python"
    names = ", ".join(spacy_hgn.__all__)
    yield f"```python\nfrom spacy_hgn import {names}\n```"
    for name in spacy_hgn.__all__:
        yield f"::: {getattr(spacy_hgn, name).__module__}.{name}"


def _settings() -> Iterator[str]:
    """A table for each function that a config can name."""
    yield "# Settings"
    yield "What a config can name, and the settings of each."
    points = distribution("spacy-hgn").entry_points
    known = {}
    for point in points.select(group="spacy_architectures"):
        known |= descriptions(point.load())
    for group, heading in KINDS.items():
        yield f"## {heading}"
        for point in sorted(points.select(group=group), key=lambda point: point.name):
            yield f"### `{point.name}`"
            yield from _registered(point, known)


def _registered(point: EntryPoint, known: dict[str, str]) -> Iterator[str]:
    function = point.load()
    is_component = point.group == "spacy_factories"
    made = _made_by(function) if is_component else function
    described = known | descriptions(made)
    defaults = Language.get_factory_meta(point.name).default_config if is_component else {}
    yield _summary(made)
    rows = []
    for name, parameter in inspect.signature(function).parameters.items():
        if is_component and name in NOT_SETTINGS:
            continue
        default = defaults.get(name, parameter.default)
        rows.append((f"`{name}`", _type(parameter), _default(default), described.get(name, "")))
    yield _table(("setting", "type", "default", "what it is"), rows)


def _made_by(factory: Any) -> Any:
    """The class of the components that a factory makes, if its module has that."""
    made = inspect.signature(factory).return_annotation
    return getattr(inspect.getmodule(factory), getattr(made, "__name__", str(made)), factory)


def descriptions(function: Any) -> dict[str, str]:
    """What a docstring says of each parameter: ``name: what it is. other, third: ...``."""
    docs = inspect.getdoc(function) or ""
    if inspect.isclass(function):
        docs += f"\n\n{inspect.getdoc(function.__init__)}"
    names = "|".join(inspect.signature(function).parameters)
    found = {}
    for paragraph in docs.split("\n\n"):
        parts = re.split(rf"(?<!\S)((?:(?:{names}), )*(?:{names})): ", paragraph)
        for listed, text in zip(parts[1::2], parts[2::2]):
            text = re.split(r"(?<=\.)\s+(?=Raises |Other arguments|Where the Hero)", text)[0]
            found |= dict.fromkeys(listed.split(", "), " ".join(text.split()))
    return found


def _summary(function: Any) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def _type(parameter: inspect.Parameter) -> str:
    if parameter.annotation is inspect.Parameter.empty:
        return ""
    shown = inspect.formatannotation(parameter.annotation)
    # Without the modules' names, and a layer or function as no more than that.
    shown = re.sub(r"\b(?:\w+\.)+(?=\w)", "", shown)
    shown = re.sub(r"\b(Model|Callable)\[.*\]", r"\1", shown)
    return f"`{shown.strip(chr(39))}`"


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return REQUIRED
    if isinstance(value, dict):
        value = next((name for key, name in value.items() if key.startswith("@")), value)
    return f"`{list(value) if isinstance(value, tuple) else value!r}`"


def _commands() -> str:
    """Each command of ``spacy hgn``, its help and its options, as Typer writes them."""
    group = get_command(hgn_cli)
    name = "python -m spacy hgn"
    context = Context(group, info_name=name)
    return get_docs_for_click(obj=group, ctx=context, name=name, title="Commands")


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
