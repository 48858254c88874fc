"""A grid's results as a page of Markdown, beside the published ones."""

from collections.abc import Iterable, Sequence

from .details import write_details, write_types, write_warnings
from .figures import find_figure
from .published import PUBLISHED
from .results import Cell, Difference, Results
from .side_by_side import find_page
from .tables import SIGNIFICANT, write_mean, write_star, write_table

DESCRIPTIONS = {
    "paper": "Trained on train and dev (a corpus may say otherwise) for a fixed number of epochs; "
    "the last epoch is tested.",
    "clean": "Trained on train; the epoch with the best F1 on dev is tested, once.",
    "search": "Trained on train; the epoch with the best F1 on dev is scored on dev. Test isn't "
    "read.",
}

NOTES = """\
F1 is micro, over whole entities with the right borders and type, in per cent: mean ± standard
deviation over seeds. The difference is from `{baseline}` with the same seeds. *p* is by approximate
randomisation over sentences, two-sided and not corrected for the number of comparisons: how often
a difference comes out as large when the two systems' entities of each sentence are swapped at
random. It speaks of other sentences, not of other seeds; the standard deviation speaks of those.
\\* is *p* < {significant}. Published values are the paper's, by the protocol `paper`.

What else the tables have of a run is a mean over seeds. "windows say" is how much the windows bring
to the vector that the classifier reads: its length over that of the whole vector, the mean over
dev's tokens, after the last epoch. "silenced" is what F1 on dev loses then if the windows bring
nothing but zeros, which the classifier wasn't trained for: +2 is two points lost. "clipped" is the
share of the last training steps, a thousand at most, whose gradients were longer than `grad_clip`
and were cut to it. "minutes" are those of training and evaluation. Columns that no run has anything
for are left out."""


def write_report(results: Results) -> str:
    """All tables, and links to the figures and pages that there are."""
    grid = results.grid
    missing = len(grid.runs) - len(results.done)
    parts = [
        f"# {grid.report.get('title', grid.name)}",
        f"    python -m spacy hgn experiment run {grid.path}\n"
        f"    python -m spacy hgn experiment report {grid.path}",
        f"{len(results.done)} of {len(grid.runs)} runs are done."
        + (f" **{missing} are missing.**" if missing else ""),
        NOTES.format(baseline=results.baseline, significant=SIGNIFICANT),
    ]
    for protocol in results.names("protocol"):
        parts += [f"## Protocol `{protocol}`", DESCRIPTIONS[protocol], _overview(results, protocol)]
        for corpus in results.names("corpus", protocol=protocol):
            cells = results.choose(protocol=protocol, corpus=corpus)
            parts += [f"### {corpus}", write_details(results, cells), *write_warnings(cells)]
            parts += [*_link(results, cells), write_types(cells)]
    return "\n\n".join([*parts, "## Made with", _origin(results)]) + "\n"


def _overview(results: Results, protocol: str) -> str:
    """Heroes and systems by corpora, as in the paper's Tables 2 and 3."""
    corpora = results.names("corpus", protocol=protocol)
    rows = []
    for hero in results.names("hero", protocol=protocol):
        for system in results.names("system", protocol=protocol, hero=hero):
            cells = [
                results.choose(protocol=protocol, corpus=corpus, hero=hero, system=system)
                for corpus in corpora
            ]
            rows.append([hero, system, *(_brief(results, found) for found in cells)])
    return write_table(["Hero", "system", *corpora], [*rows, *_published(results, protocol)])


def _brief(results: Results, found: Sequence[Cell]) -> str:
    if not found:
        return ""
    difference = results.differences.get(found[0].point)
    return write_mean(found[0].f1) + (f" ({_signed(difference)})" if difference else "")


def _published(results: Results, protocol: str) -> list[list[str]]:
    """The paper's rows of the same corpora and systems, if the grid's are the paper's."""
    if not results.grid.report.get("published", False):
        return []
    cells = results.choose(protocol=protocol)
    folders = list(dict.fromkeys((cell.corpus, cell.folder) for cell in cells))
    heroes = dict.fromkeys(hero for _, folder in folders for hero in PUBLISHED.get(folder, {}))
    rows = []
    for hero in heroes:
        for system in results.names("system", protocol=protocol):
            values = [PUBLISHED.get(folder, {}).get(hero, {}) for _, folder in folders]
            if any(system in of_corpus for of_corpus in values):
                shown = [_published_value(of_corpus, system) for of_corpus in values]
                rows.append([f"*{hero}, published*", system, *shown])
    return rows


def _published_value(of_corpus: dict[str, float], system: str) -> str:
    if system not in of_corpus:
        return ""
    value, base = of_corpus[system], of_corpus["base"]
    return f"{value:.2f}" if system == "base" else f"{value:.2f} ({value - base:+.2f})"


def _link(results: Results, cells: Sequence[Cell]) -> list[str]:
    folder = results.store.folder
    links = []
    for hero in dict.fromkeys(cell.hero for cell in cells):
        cell = next(cell for cell in cells if cell.hero == hero)
        figure, page = find_figure(folder, cell, "png"), find_page(folder, cell)
        if figure.exists():
            links.append(f"![F1 by system, {hero}]({figure.relative_to(folder)})")
        if page.exists():
            links.append(f"[Sentences that systems differ in]({page.relative_to(folder)})")
    return links


def _origin(results: Results) -> str:
    """Machines, releases and revisions of the runs that are reported."""
    records = [record for cell in results.cells for record in cell.records]
    machines = (
        f"{r['machine']['device']}, {r['machine']['processor']}, {r['machine']['threads']} threads"
        for r in records
    )
    software = (", ".join(f"{k} {v}" for k, v in r["software"].items()) for r in records)
    revisions = (
        f"revision {r['git']['revision'][:12]}{' and changes' if r['git']['dirty'] else ''}"
        for r in records
        if r["git"]["revision"]
    )
    taken = (f"taken from {r['taken_from']}" for r in records if "taken_from" in r)
    return "\n".join(
        f"- {line} ({count} runs)"
        for lines in (machines, software, revisions, taken)
        for line, count in _count(lines).items()
    )


def _count(lines: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        found[line] = found.get(line, 0) + 1
    return found


def _signed(difference: Difference) -> str:
    return f"{difference.mean:+.2f}{write_star(difference.p)}"
