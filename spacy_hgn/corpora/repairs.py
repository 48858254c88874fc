"""Errors, or repairs with ``--lenient``.

The rule: **keep every token, never guess a type, and treat annotation that can't be read as
missing.**

- A tag that can't be read, or that is on a line with too few or too many columns, is missing. So
  is an adjacent entity that it may belong to.
- A tag that can't continue the entity before it begins a new one. An entity without its end ends
  where it is. A closing bracket without an opening one is ignored.
- A character span that doesn't match the tokens, or that overlaps an earlier one, is left out. Its
  tokens that are in no entity are missing. If the span has no valid characters, all tokens of the
  text that are in no entity are missing.
- A line without a token and a record without a text are left out.
"""

from dataclasses import dataclass

from .lines import Line

REPORT_SUFFIX = ".repairs.jsonl"
"""The suffix of files that list repairs."""


@dataclass(frozen=True)
class Repair:
    """One repair: its place, the reason, the text before and after."""

    file: str
    line: int
    problem: str
    was: str
    became: str


Repairs = list[Repair] | None
"""A list to add repairs to, or None if every problem is an error."""


def repair_or_raise(
    repairs: Repairs, line: Line, problem: str, became: str, was: str | None = None
) -> None:
    """Add a repair to the list, or raise CorpusError if there is none.

    was: the text before, by default the whole line. became: the text after.
    """
    if repairs is None:
        error = line.error(problem)
        error.can_be_repaired = True
        raise error
    was = line.text if was is None else was
    repairs.append(Repair(str(line.path), line.number, problem, was, became))
