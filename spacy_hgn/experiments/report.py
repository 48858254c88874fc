"""A report of a grid's results in Markdown, with published values."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from statistics import mean

from ..explain.contribution import Contribution
from .figures import find_figure
from .grid_file import PROTOCOLS
from .plan import describe_stale
from .published import PUBLISHED
from .results import Cell, Results, scores, write_mean

SIGNIFICANT = 0.05

NOTES = """\
F1 is micro-averaged over whole entities with the right boundaries and type, in per cent: mean ±
standard deviation over seeds. The difference is from `{baseline}` with the same seeds. *p* is by
approximate randomisation over sentences, two-sided and not corrected for multiple comparisons: how
often a difference is at least as large if the two systems' entities in each sentence are swapped at
random. It covers the variation between sentences, not between seeds; the standard deviation covers
the latter. \\* is *p* < {significant}. Published values are the paper's, with its
protocol `paper`.

All other columns are means over seeds. "share of windows" is the norm of what the windows add to
the classifier's input, divided by the norm of the whole vector: the mean over dev's tokens, after
the last epoch. "silenced" is the loss in F1 on dev if the windows are replaced by zeros, which the
classifier wasn't trained for: +2 is two points lost. "clipped" is the share of the last training
steps, a thousand at most, whose gradients were clipped at `grad_clip`. "minutes" are the time for
training and evaluation. Columns without any value are left out."""


def write_report(results: Results) -> str:
    """All tables, and links to existing figures."""
    grid = results.grid
    missing = len(grid.runs) - len(results.done)
    parts = [
        f"# {grid.report.title or grid.name}",
        f"    python -m spacy hgn experiment run {grid.path}\n"
        f"    python -m spacy hgn experiment report {grid.path}",
        f"{len(results.done)} of {len(grid.runs)} runs are done."
        + (f" **{missing} are missing.**" if missing else ""),
        *_stale(results),
        NOTES.format(baseline=results.baseline, significant=SIGNIFICANT),
    ]
    for protocol in results.names("protocol"):
        description = PROTOCOLS[protocol].description
        parts += [f"## Protocol `{protocol}`", description, _overview(results, protocol)]
        for corpus in results.names("corpus", protocol=protocol):
            cells = results.choose(protocol=protocol, corpus=corpus)
            parts += [f"### {corpus}", _details(results, cells), *_warnings(cells)]
            parts += [*_figures(results, cells), _types(cells)]
    return "\n\n".join([*parts, "## Made with", _origin(results)]) + "\n"


def _stale(results: Results) -> list[str]:
    if not results.stale:
        return []
    reasons = "\n".join(f"- {line}" for line in describe_stale(results.stale))
    return [
        f"**{len(results.stale)} results are stale:** something that influences them has changed. "
        f"`run --redo` trains them again.\n\n{reasons}"
    ]


def _overview(results: Results, protocol: str) -> str:
    """Heroes and systems by corpora, as in the paper's Tables 2 and 3."""
    corpora = results.names("corpus", protocol=protocol)
    cells = {cell.point: cell for cell in results.cells}
    rows = []
    for hero in results.names("hero", protocol=protocol):
        for system in results.names("system", protocol=protocol, hero=hero):
            found = [cells.get((protocol, corpus, hero, system)) for corpus in corpora]
            rows.append([hero, system, *(_brief(results, cell) for cell in found)])
    published = _published(results, protocol) if results.grid.report.published else []
    return _table(["Hero", "system", *corpora], [*rows, *published])


def _brief(results: Results, cell: Cell | None) -> str:
    if cell is None:
        return ""
    found = results.differences.get(cell.point)
    difference = f" ({found.mean:+.2f}{_star(found.p)})" if found else ""
    return write_mean(cell.scores()) + difference


def _published(results: Results, protocol: str) -> list[list[str]]:
    """Rows with the paper's values for the same corpora and systems."""
    cells = results.choose(protocol=protocol)
    folders = dict.fromkeys((cell.corpus, cell.folder) for cell in cells)
    of_corpora = [PUBLISHED.get(folder, {}) for _, folder in folders]
    rows = []
    for hero in dict.fromkeys(hero for of_corpus in of_corpora for hero in of_corpus):
        values = [of_corpus.get(hero, {}) for of_corpus in of_corpora]
        for system in results.names("system", protocol=protocol):
            if any(system in of_corpus for of_corpus in values):
                shown = [_published_value(of_corpus, system) for of_corpus in values]
                rows.append([f"*{hero}, published*", system, *shown])
    return rows


def _published_value(of_corpus: dict[str, float], system: str) -> str:
    if system not in of_corpus:
        return ""
    value, base = of_corpus[system], of_corpus["base"]
    return f"{value:.2f}" if system == "base" else f"{value:.2f} ({value - base:+.2f})"


def _details(results: Results, cells: Sequence[Cell]) -> str:
    """One row per system. Columns without any value are left out."""
    differences = [results.differences.get(cell.point) for cell in cells]
    gangs = [_contribution(cell) for cell in cells]
    columns = {
        "Hero": [cell.hero for cell in cells],
        "system": [cell.system for cell in cells],
        "seeds": [str(len(cell.records)) for cell in cells],
        "P": [write_mean(cell.scores("p")) for cell in cells],
        "R": [write_mean(cell.scores("r")) for cell in cells],
        "F1": [f"**{write_mean(cell.scores())}**" for cell in cells],
        "difference": [f"{found.mean:+.2f}" if found else "" for found in differences],
        "*p*": [f"{found.p:.4f}{_star(found.p)}" if found else "" for found in differences],
    }
    where_any = {
        "F1 on dev": [write_mean(_dev_f1(cell)) for cell in cells],
        "share of windows": [f"{gang.share:.1%}" if gang else "" for gang in gangs],
        "silenced": [f"{gang.f1 - gang.silenced:+.2f}" if gang else "" for gang in gangs],
        "clipped": [_clipped(cell) for cell in cells],
    }
    columns |= {title: column for title, column in where_any.items() if any(column)}
    columns["minutes"] = [_minutes(cell) for cell in cells]
    return _table(list(columns), list(zip(*columns.values())))


def _warnings(cells: Sequence[Cell]) -> list[str]:
    """One for each system whose windows contribute almost nothing, with what to do."""
    found = {f"{cell.hero} {cell.system}": _contribution(cell) for cell in cells}
    return [
        f"**Warning, {name}:** {contribution.warning}"
        for name, contribution in found.items()
        if contribution and contribution.warning
    ]


def _types(cells: Sequence[Cell]) -> str:
    """The mean F1 of each type, and its number of gold entities."""
    annotated = {
        label: counts["right"] + counts["missed"]
        for record in cells[0].records
        for label, counts in scores(record)["types"].items()
    }
    labels = sorted(annotated, key=lambda label: -annotated[label])
    rows = [
        [f"{cell.hero} {cell.system}", *(_type_f1(cell, label) for label in labels)]
        for cell in cells
    ]
    header = [f"{label} ({annotated[label]:,})" for label in labels]
    table = _table(["system", *header], rows, texts=1)
    return f"F1 by type (in brackets: the number of gold entities):\n\n{table}"


def _type_f1(cell: Cell, label: str) -> str:
    types = [scores(record)["types"] for record in cell.records]
    values = [of_seed[label]["f"] for of_seed in types if label in of_seed]
    return f"{mean(values):.1f}" if values else ""


def _dev_f1(cell: Cell) -> list[float]:
    return [max(record["dev_f1"]) for record in cell.records if record["dev_f1"]]


def _contribution(cell: Cell) -> Contribution | None:
    """The mean over seeds; None without windows, and for records without this measure."""
    found = [record["contribution"] for record in cell.records if record.get("contribution")]
    if not found:
        return None
    names = [field.name for field in fields(Contribution)]
    return Contribution(**{name: mean(of_seed[name] for of_seed in found) for name in names})


def _clipped(cell: Cell) -> str:
    found = [record["clipping"]["share"] for record in cell.records if record.get("clipping")]
    return f"{mean(found):.1%}" if found else ""


def _minutes(cell: Cell) -> str:
    return f"{mean(sum(record['seconds'].values()) for record in cell.records) / 60:.1f}"


def _figures(results: Results, cells: Sequence[Cell]) -> list[str]:
    folder = results.records.folder
    paths = {cell.hero: find_figure(folder, cell) for cell in cells}
    return [
        f"![F1 by system, {hero}]({path.relative_to(folder)})"
        for hero, path in paths.items()
        if path.exists()
    ]


def _origin(results: Results) -> str:
    """Machines, releases and revisions of the reported runs."""
    records = [record for cell in results.cells for record in cell.records]
    machines = [record["machine"] for record in records]
    revisions = [record["git"] for record in records if record["git"]["revision"]]
    lines: Iterable[str] = [
        *(f"{m['device']}, {m['processor']}, {m['threads']} threads" for m in machines),
        *(f"auto is {m['auto_precision']}" for m in machines if "auto_precision" in m),
        *(", ".join(f"{k} {v}" for k, v in record["software"].items()) for record in records),
        *(f"revision {g['revision'][:12]}{' and changes' * g['dirty']}" for g in revisions),
    ]
    return "\n".join(f"- {line} ({count} runs)" for line, count in Counter(lines).items())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 2) -> str:
    """texts: the number of text columns, from the left."""
    lines = [header, ["---"] * texts + ["---:"] * (len(header) - texts), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _star(p: float) -> str:
    """Mark a significant difference."""
    return "*" if p < SIGNIFICANT else ""
