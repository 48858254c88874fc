"""Figures of systems compared to a baseline, like the paper's Figures 2 and 3."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .results import Cell, Results, spread, write_mean

BAR, SEED, BAND, FRAME = "#9ec1e3", "#1f2d3d", "#eceff2", "#9aa5b1"
STYLE: Any = {
    "font.size": 9,
    "axes.edgecolor": FRAME,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def find_figure(folder: Path, cell: Cell) -> Path:
    """The path of a cell's figure."""
    return folder / "figures" / cell.file("png")


def draw_figures(results: Results) -> None:
    """Draw a figure for each protocol, corpus and Hero that has several systems."""
    for cells in results.by_hero:
        if len(cells) > 1:
            path = find_figure(results.records.folder, cells[0])
            path.parent.mkdir(parents=True, exist_ok=True)
            with rc_context(STYLE):
                _draw(results, cells).savefig(path, dpi=150)


def _draw(results: Results, cells: Sequence[Cell]) -> Figure:
    """Bars are differences from the baseline, so that they can begin at 0 and still be visible."""
    others = [cell for cell in cells if cell.point in results.differences]
    figure = Figure(figsize=(max(6.0, 1.6 + 0.8 * len(cells)), 3.2), layout="constrained")
    axes = figure.add_subplot()
    part = "test" if cells[0].records[0]["test"] else "dev"
    drawn = "bars: mean, dots: seeds, numbers: F1"
    if others:
        base = next(cell for cell in cells if cell.system == results.baseline).scores()
        deviation = spread(base) or 0
        axes.axhspan(-deviation, deviation, color=BAND, zorder=0)
        _draw_bars(axes, others, [results.differences[cell.point].by_seed for cell in others])
        axes.set_ylabel(f"difference of F1 on {part}")
        drawn = f"0 is {results.baseline}, {write_mean(base)}; {drawn}"
    else:
        _draw_bars(axes, cells, [cell.scores() for cell in cells])
        axes.set_ylabel(f"F1 on {part}")
    axes.set_title(f"{cells[0].corpus}, {cells[0].hero}, {cells[0].protocol}\n{drawn}")
    return figure


def _draw_bars(axes: Axes, cells: Sequence[Cell], values: Sequence[Sequence[float]]) -> None:
    places = range(len(cells))
    axes.bar(places, [mean(of_system) for of_system in values], color=BAR, width=0.6)
    for place, of_system, cell in zip(places, values, cells):
        axes.plot([place] * len(of_system), of_system, "o", color=SEED, markersize=3.5)
        above = (place, max(0.0, *of_system))
        f1 = f"{mean(cell.scores()):.2f}"
        axes.annotate(f1, above, (0, 4), textcoords="offset points", ha="center")
    axes.axhline(0, color=FRAME, linewidth=0.8)
    axes.margins(y=0.15)
    axes.set_xticks(list(places), [cell.system for cell in cells])
