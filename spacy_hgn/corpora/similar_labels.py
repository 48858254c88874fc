"""Labels that look like others: ``Person`` for ``PERSON``, ``PER`` for ``PERSON``."""

from collections.abc import Iterable
from difflib import get_close_matches

CLOSE = 0.8
"""The minimum similarity of two labels, as in difflib."""

SHORTENED = 3
"""The minimum length of a label that may be the beginning of another one."""


def find_similar(labels: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Map each label that resembles a known one to that one."""
    by_letters = {_letters_of(label): label for label in known}
    found = {label: _find(_letters_of(label), list(by_letters)) for label in labels}
    return {label: by_letters[near] for label, near in found.items() if near is not None}


def _find(letters: str, known: list[str]) -> str | None:
    if letters in known:
        return letters
    shortened = [other for other in known if _is_short_for(*sorted((letters, other), key=len))]
    return next(iter([*shortened, *get_close_matches(letters, known, 1, CLOSE)]), None)


def _is_short_for(short: str, long: str) -> bool:
    return len(short) >= SHORTENED and long.startswith(short)


def _letters_of(label: str) -> str:
    """A label without case, hyphens and the like."""
    return "".join(filter(str.isalnum, label)).casefold()
