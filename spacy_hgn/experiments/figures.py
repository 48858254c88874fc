"""Systems against Base, drawn: the paper's Figures 2 and 3."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .results import Cell, Results, spread

BAR, SEED, BAND, FRAME = "#9ec1e3", "#1f2d3d", "#eceff2", "#9aa5b1"
FORMATS = ("png", "svg")
STYLE: Any = {
    "font.size": 9,
    "axes.edgecolor": FRAME,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "spacy_hgn",  # the same figure is the same file
}


def find_figure(folder: Path, cell: Cell, suffix: str) -> Path:
    """Where the figure is that a cell is in."""
    return folder / "figures" / f"{cell.protocol}-{cell.corpus}-{cell.hero}.{suffix}"


def draw_figures(results: Results) -> list[Path]:
    """Draw a figure for each protocol, corpus and Hero that has several systems."""
    groups: dict[Path, list[Cell]] = {}
    for cell in results.cells:
        groups.setdefault(find_figure(results.store.folder, cell, FORMATS[0]), []).append(cell)
    drawn = {path: cells for path, cells in groups.items() if len(cells) > 1}
    for path, cells in drawn.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with rc_context(STYLE):
            figure = _draw(results, cells)
            for suffix in FORMATS:
                figure.savefig(path.with_suffix(f".{suffix}"), dpi=150, metadata=_metadata(suffix))
    return list(drawn)


def _draw(results: Results, cells: Sequence[Cell]) -> Figure:
    """Bars are differences from Base, so that they may begin at 0 and still be seen."""
    others = [cell for cell in cells if cell.point in results.differences]
    figure = Figure(figsize=(max(6.0, 1.6 + 0.8 * len(cells)), 3.2), layout="constrained")
    axes = figure.add_subplot()
    part = "test" if cells[0].records[0]["test"] else "dev"
    if others:
        values = [results.differences[cell.point].by_seed for cell in others]
        (base,) = (cell for cell in cells if cell.system == results.baseline)
        deviation = spread(base.f1) or 0
        axes.axhspan(-deviation, deviation, color=BAND, zorder=0)
        _draw_bars(axes, others, values)
        axes.set_ylabel(f"difference of F1 on {part}")
        axes.set_title(_title(cells[0], f"0 is {results.baseline}, {_format(base.f1)}"))
    else:
        _draw_bars(axes, cells, [cell.f1 for cell in cells])
        axes.set_ylabel(f"F1 on {part}")
        axes.set_title(_title(cells[0], ""))
    return figure


def _draw_bars(axes: Axes, cells: Sequence[Cell], values: Sequence[Sequence[float]]) -> None:
    places = range(len(cells))
    axes.bar(places, [mean(of_system) for of_system in values], color=BAR, width=0.6)
    for place, of_system, cell in zip(places, values, cells):
        axes.plot([place] * len(of_system), of_system, "o", color=SEED, markersize=3.5)
        top = max(0.0, *of_system)
        axes.annotate(
            f"{mean(cell.f1):.2f}", (place, top), (0, 4), textcoords="offset points", ha="center"
        )
    axes.axhline(0, color=FRAME, linewidth=0.8)
    axes.margins(y=0.15)
    axes.set_xticks(list(places), [cell.system for cell in cells])


def _title(cell: Cell, base: str) -> str:
    """Where it was measured; below it, what is drawn."""
    drawn = "bars: mean, dots: seeds, numbers: F1"
    return f"{cell.corpus}, {cell.hero}, {cell.protocol}\n{base}{'; ' if base else ''}{drawn}"


def _format(values: Sequence[float]) -> str:
    deviation = spread(values)
    return f"{mean(values):.2f}" + (f" ± {deviation:.2f}" if deviation is not None else "")


def _metadata(suffix: str) -> dict[str, None] | None:
    return {"Date": None} if suffix == "svg" else None
