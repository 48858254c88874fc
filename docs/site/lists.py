"""Parameters in docstrings as lists: ``name: what it is. other: ...`` is easier to read so."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

import griffe


class ParameterLists(griffe.Extension):
    """Sets what docstrings say of parameters and attributes as lists."""

    def on_function(self, *, func: griffe.Function, **kwargs: Any) -> None:
        if func.docstring:
            names = [parameter.name for parameter in func.parameters]
            func.docstring.value = as_lists(func.docstring.value, names)

    def on_class_members(self, *, cls: griffe.Class, **kwargs: Any) -> None:
        if cls.docstring:
            cls.docstring.value = as_lists(cls.docstring.value, cls.members)


def as_lists(docs: str, names: Iterable[str]) -> str:
    """A docstring whose paragraphs of parameters are Markdown lists."""
    return "\n\n".join(_as_list(each, names) for each in inspect.cleandoc(docs).split("\n\n"))


def _as_list(paragraph: str, names: Iterable[str]) -> str:
    any_name = "|".join(map(re.escape, names)) or "$"
    parts = re.split(rf"(?<!\S)((?:(?:{any_name}), )*(?:{any_name})): ", paragraph)
    if len(parts) == 1:
        return paragraph
    lines = [
        f"- **{name}:** {' '.join(text.split())}" for name, text in zip(parts[1::2], parts[2::2])
    ]
    return "\n".join([parts[0].strip(), "", *lines])
