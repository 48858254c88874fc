"""Scores that spaCy's loop compares, but doesn't take as a reason to copy folders."""

from typing import Any


class Score(float):
    """A number that is ordered as others are, but equals none, not even itself.

    spaCy's loop has every rank copy the best pipeline where ``score == max(scores)``: on all ranks
    at once, into one folder, half done if the process ends then. With these, the loop stops
    when it should and copies nothing; ``output.py`` does.
    """

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True

    __hash__ = float.__hash__

    def __mul__(self, other: float) -> "Score":
        return Score(float(self) * other)

    def __add__(self, other: float) -> "Score":
        return Score(float(self) + other)

    __rmul__ = __mul__
    __radd__ = __add__


def for_the_loop(scores: dict[str, Any], weights: dict[str, float | None]) -> dict[str, Any]:
    """The scores with those that count towards the main score as ``Score``.

    Raises ValueError where none does.
    """
    counting = {
        name: Score(scores[name])
        for name, weight in weights.items()
        if weight is not None and isinstance(scores.get(name), int | float)
    }
    if not counting:
        raise ValueError(
            f"training.score_weights: expected a weight for a score that the pipeline has "
            f"({', '.join(sorted(scores))}), got {weights}."
        )
    return {**scores, **counting}


def plain(value: Any) -> Any:
    """The same with plain numbers for those, in dictionaries, lists and tuples too."""
    if isinstance(value, Score):
        return float(value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(plain(each) for each in value)
    return value
