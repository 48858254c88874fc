"""A reliability diagram as SVG: the share of correct entities by score."""

from collections.abc import Mapping, Sequence
from html import escape

from .calibration import Bin, expected_calibration_error

SIZE, LEFT, TOP = 240, 50, 56
STYLES = [
    'fill="#b0b0b0" stroke="#808080" stroke-dasharray="4 3"',
    'fill="#2f6db5" stroke="#2f6db5"',
]
"""The styles of the first and the second curve."""


def draw_reliability(curves: Mapping[str, Sequence[Bin]]) -> str:
    """Draw up to two curves by their names, each with its expected calibration error.

    Each point is a bin; its area is proportional to the number of entities.
    """
    most = max((each.count for bins in curves.values() for each in bins), default=1)
    parts = [_axes()]
    for i, (name, bins) in enumerate(curves.items()):
        parts.append(f"<g {STYLES[i]}>{_curve(bins, most)}</g>")
        parts.append(_legend(i, name, bins))
    width, height = LEFT + SIZE + 20, TOP + SIZE + 44
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" role="img">'
        f"<title>Reliability of entity scores</title>"
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )


def _x(score: float) -> str:
    return f"{LEFT + SIZE * score:.1f}"


def _y(share: float) -> str:
    return f"{TOP + SIZE * (1 - share):.1f}"


def _axes() -> str:
    ticks = []
    for tenth in range(0, 11, 2):
        value = tenth / 10
        ticks.append(
            f'<text x="{_x(value)}" y="{TOP + SIZE + 16}" text-anchor="middle">{value}</text>'
        )
        ticks.append(
            f'<text x="{LEFT - 6}" y="{_y(value)}" dy="4" text-anchor="end">{value}</text>'
        )
    middle = TOP + SIZE / 2
    return (
        f'<rect x="{LEFT}" y="{TOP}" width="{SIZE}" height="{SIZE}" fill="none" stroke="#404040"/>'
        f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#c0c0c0"/>{"".join(ticks)}'
        f'<text x="{_x(0.5)}" y="{TOP + SIZE + 36}" text-anchor="middle">score</text>'
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        "share that is right</text>"
    )


def _curve(bins: Sequence[Bin], most: int) -> str:
    points = [(_x(each.score), _y(each.right)) for each in bins]
    line = " ".join(f"{x},{y}" for x, y in points)
    circles = [
        f'<circle cx="{x}" cy="{y}" r="{2 + 6 * (each.count / most) ** 0.5:.1f}" '
        f'fill-opacity="0.6" stroke="none"><title>{each.count:,} entities: score {each.score:.2f}, '
        f"right {each.right:.2f}</title></circle>"
        for (x, y), each in zip(points, bins)
    ]
    return f'<polyline points="{line}" fill="none"/>{"".join(circles)}'


def _legend(i: int, name: str, bins: Sequence[Bin]) -> str:
    y = 18 + 18 * i
    error = expected_calibration_error(bins)
    return (
        f'<g {STYLES[i]}><circle cx="{LEFT + 6}" cy="{y}" r="5" stroke="none"/></g>'
        f'<text x="{LEFT + 18}" y="{y + 4}">{escape(name)}: ECE {error:.3f}</text>'
    )
