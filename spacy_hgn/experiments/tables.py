"""Tables of Markdown, and how numbers are written in them."""

from collections.abc import Sequence
from statistics import mean

from .results import spread

SIGNIFICANT = 0.05


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 2) -> str:
    """texts: how many columns, from the left, are no numbers."""
    lines = [header, ["---"] * texts + ["---:"] * (len(header) - texts), *rows]
    return "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)


def write_mean(values: Sequence[float]) -> str:
    """With the spread over seeds, if there are several; nothing where there's no value."""
    if not values:
        return ""
    deviation = spread(values)
    return f"{mean(values):.2f}" + (f" ± {deviation:.2f}" if deviation is not None else "")


def write_star(p: float) -> str:
    """Marks what is hardly luck."""
    return "*" if p < SIGNIFICANT else ""


def _escape(text: str) -> str:
    return text.replace("|", "\\|")
