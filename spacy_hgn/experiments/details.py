"""All figures of one corpus: of each system, of each type, and what they warn of."""

from collections.abc import Sequence
from dataclasses import fields
from statistics import mean

from ..explain.contribution import Contribution
from .results import Cell, Results, scores
from .tables import write_mean, write_star, write_table


def write_details(results: Results, cells: Sequence[Cell]) -> str:
    """A row a system. Columns that no record has anything for are left out."""
    differences = [results.differences.get(cell.point) for cell in cells]
    columns = {
        "Hero": [cell.hero for cell in cells],
        "system": [cell.system for cell in cells],
        "seeds": [str(len(cell.records)) for cell in cells],
        "P": [write_mean(cell.values(lambda found: found["p"])) for cell in cells],
        "R": [write_mean(cell.values(lambda found: found["r"])) for cell in cells],
        "F1": [f"**{write_mean(cell.f1)}**" for cell in cells],
        "difference": [f"{found.mean:+.2f}" if found else "" for found in differences],
        "*p*": [f"{found.p:.4f}{write_star(found.p)}" if found else "" for found in differences],
    }
    where_any = {
        "F1 on dev": [write_mean(_dev_f1(cell)) for cell in cells],
        "windows say": [_share(cell) for cell in cells],
        "silenced": [_lost(cell) for cell in cells],
        "clipped": [_clipped(cell) for cell in cells],
    }
    columns |= {title: column for title, column in where_any.items() if any(column)}
    columns["minutes"] = [_minutes(cell) for cell in cells]
    return write_table(list(columns), list(zip(*columns.values())))


def write_warnings(cells: Sequence[Cell]) -> list[str]:
    """Of each system whose windows say nothing, with what to do."""
    found = [(cell, _contribution(cell)) for cell in cells]
    return [
        f"**Warning, {cell.hero} {cell.system}:** {contribution.warning}"
        for cell, contribution in found
        if contribution and contribution.warning
    ]


def write_types(cells: Sequence[Cell]) -> str:
    """The mean F1 of each type, and how many entities of it there are."""
    types = [scores(record)["types"] for record in cells[0].records]
    annotated = {
        label: counts["right"] + counts["missed"]
        for of_seed in types
        for label, counts in of_seed.items()
    }
    annotated = dict(sorted(annotated.items(), key=lambda item: -item[1]))
    rows = [
        [f"{cell.hero} {cell.system}", *(_type_f1(cell, label) for label in annotated)]
        for cell in cells
    ]
    header = [f"{label} ({number:,})" for label, number in annotated.items()]
    table = write_table(["system", *header], rows, texts=1)
    return f"F1 by type (in brackets: how many are annotated):\n\n{table}"


def _type_f1(cell: Cell, label: str) -> str:
    types = [scores(record)["types"] for record in cell.records]
    values = [of_seed[label]["f"] for of_seed in types if label in of_seed]
    return f"{mean(values):.1f}" if values else ""


def _dev_f1(cell: Cell) -> list[float]:
    return [max(record["dev_f1"]) for record in cell.records if record["dev_f1"]]


def _contribution(cell: Cell) -> Contribution | None:
    """The mean over seeds; None without windows, and of records from before it was measured."""
    found = [record["contribution"] for record in cell.records if record.get("contribution")]
    if not found:
        return None
    names = [field.name for field in fields(Contribution)]
    return Contribution(**{name: mean(of_seed[name] for of_seed in found) for name in names})


def _share(cell: Cell) -> str:
    found = _contribution(cell)
    return f"{found.share:.1%}" if found else ""


def _lost(cell: Cell) -> str:
    found = _contribution(cell)
    return f"{found.f1 - found.silenced:+.2f}" if found else ""


def _clipped(cell: Cell) -> str:
    found = [record["clipping"]["share"] for record in cell.records if record.get("clipping")]
    return f"{mean(found):.1%}" if found else ""


def _minutes(cell: Cell) -> str:
    return f"{mean(sum(record['seconds'].values()) for record in cell.records) / 60:.1f}"
