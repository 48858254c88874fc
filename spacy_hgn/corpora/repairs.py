"""Errors, or repairs that are written down: what ``--lenient`` decides.

The one rule: **keep every token, never guess a type, and call unknown what can't be read.**

- A tag that can't be read, and the tag of a line with too few or too many columns, is missing. So
  is an entity right beside it that it may be a part of.
- A tag that can't continue the entity before it begins a new one; an entity without its end
  ends where it stands; a closing bracket without an opening one closes nothing.
- A character span that doesn't fit the tokens, or overlaps one before it, is left out, and
  its tokens that are in no entity are missing; all such tokens of the text where it doesn't say
  which characters it means.
- A line or record that holds no token, or no text, is left out.
"""

from dataclasses import dataclass

from .lines import Line

REPORT_SUFFIX = ".repairs.jsonl"
"""What the name of a file that tells repairs ends with."""


@dataclass(frozen=True)
class Repair:
    """One repair: where it was made, why, what stood there and what it became."""

    file: str
    line: int
    problem: str
    was: str
    became: str


Repairs = list[Repair] | None
"""A list to write repairs to, or None where every problem is an error."""


def repair_or_raise(
    repairs: Repairs, line: Line, problem: str, became: str, was: str | None = None
) -> None:
    """Write down a repair, or raise CorpusError if there is no list to write it to.

    was, became: what stood there, by default the whole line, and what replaces it.
    """
    if repairs is None:
        error = line.error(problem)
        error.can_be_repaired = True
        raise error
    was = line.text if was is None else was
    repairs.append(Repair(str(line.path), line.number, problem, was, became))
