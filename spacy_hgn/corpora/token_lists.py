"""What records with lists of tokens have in common."""

from typing import Any

from .errors import expected
from .records import Record


def problem_with_tokens(record: Record, key: str) -> str | None:
    """What is wrong with the list of tokens below a key, if anything."""
    problem = record.problem((key, list, "that are a list"))
    if problem is not None:
        return problem
    words = record.value[key]
    if not words:
        return expected("with tokens", key, words)
    wrong = [word for word in words if not _is_token(word)]
    return expected("of words", key, wrong[0]) if wrong else None


def _is_token(word: Any) -> bool:
    return (
        isinstance(word, str)
        and bool(word.strip(" \t\r\n"))
        and not any("\ud800" <= char <= "\udfff" for char in word)
    )
