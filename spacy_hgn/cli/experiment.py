"""``spacy hgn experiment``: grids of trainings and their reports."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from thinc.api import ConfigValidationError
from typer import Argument, Exit, Option, Typer
from wasabi import msg

from spacy_hgn.backend.gpu import check_gpu
from spacy_hgn.experiments.corpora import CorpusParts, convert_corpus
from spacy_hgn.experiments.grid import GridRun, filter_runs, read_grid
from spacy_hgn.experiments.grid_file import GridError
from spacy_hgn.experiments.plan import Plan, describe_stale, make_plan
from spacy_hgn.experiments.records import Records

from . import hgn_cli
from .pipelines import ending_at

experiment_cli = Typer(
    name="experiment", help="Run grids of trainings, and report on them.", no_args_is_help=True
)
hgn_cli.add_typer(experiment_cli)

CACHE = Path("corpus") / "experiments"
WORK = Path("training") / "experiments"
CONDITIONS = "Runs to select: corpus=wnut17,system=base ... (also hero, seed, protocol)"
EXPECTED = (ValueError, OSError, ConfigValidationError)

GridPath = Annotated[Path, Argument(help="Grid file, YAML")]
Folder = Annotated[Path, Option("--results", help="Folder of results; each grid has a subfolder")]
Only = Annotated[list[str], Option("--only", help=CONDITIONS)]
Pages = Option("--side-by-side", help="Folder for pages of sentences on which two systems differ")


@experiment_cli.command("run")
def run_cli(
    grid_path: GridPath,
    only: Only = [],
    jobs: Annotated[int, Option("--jobs", min=1, help="Runs in parallel")] = 1,
    threads: Annotated[int, Option("--threads", min=0, help="Threads per run; 0: share all")] = 0,
    gpu_id: Annotated[int, Option("--gpu-id", help="GPU ID or -1 for CPU")] = -1,
    results: Folder = Path("results"),
    redo: Annotated[bool, Option("--redo", help="Also train runs with stale results")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="List the runs, train nothing")] = False,
) -> None:
    """Train and score the runs of a grid that aren't done yet.

    A finished run adds a line to RESULTS/GRID/runs.jsonl and its entities to
    RESULTS/GRID/predictions. If the command is stopped or killed, start it again to train the
    rest. Results are stale if the config, the corpus, a release or the training code has changed
    since; they are reported. The exit status is 1 if a run failed.
    """
    try:
        grid = read_grid(grid_path)
        runs = filter_runs(grid.runs, only)
        records = Records(results / grid.name)
        threads = threads or max(1, (os.cpu_count() or 1) // jobs)
        if not dry_run:
            with ending_at("Can't train"):
                check_gpu(gpu_id)
        plan = make_plan(grid, runs, records.read(), CACHE, threads, gpu_id)
    except EXPECTED as error:
        msg.fail(str(error))
        raise Exit(2) from error
    for corpus, problems in plan.problems.items():
        for problem in problems:
            msg.warn(f"{corpus}: {problem}")
    what = "are trained again" if redo else "are kept; --redo trains them again"
    _warn_of_stale(plan.stale, what)
    if dry_run:
        _list(plan)
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    from spacy_hgn.experiments.runner import locked, run_jobs

    with ending_at("Can't run the grid", GridError), locked(records):
        to_do = plan.to_do(redo)
        failed = run_jobs(to_do, records, WORK / grid.name, jobs, done=len(runs) - len(to_do))
    if failed:
        msg.fail(f"{len(failed)} runs failed: {', '.join(failed)}")
        print(f"Their logs are in {records.logs}")
        raise Exit(1)
    msg.good(f"Results are in {records.runs}")


@experiment_cli.command("report")
def report_cli(
    grid_path: GridPath,
    results: Folder = Path("results"),
    side_by_side: Annotated[Path | None, Pages] = None,
) -> None:
    """Write a report of a grid's runs, with tables and figures.

    RESULTS/GRID/report.md has all tables, the paper's values, and the figures. --side-by-side
    needs the corpora.
    """
    from spacy_hgn.experiments.figures import draw_figures
    from spacy_hgn.experiments.report import write_report
    from spacy_hgn.experiments.results import Results
    from spacy_hgn.experiments.side_by_side import draw_pages

    try:
        grid = read_grid(grid_path)
        found = Results(grid, Records(results / grid.name))
        _warn_of_stale(found.stale, "are in the report; experiment run --redo trains them again")
    except EXPECTED as error:
        msg.fail(str(error))
        raise Exit(2) from error
    draw_figures(found)
    report = found.records.folder / "report.md"
    report.write_text(write_report(found), encoding="utf8")
    msg.good(f"Report is in {report}")
    if side_by_side:
        drawn = draw_pages(found, _convert_available(found.done), side_by_side)
        msg.good(f"Pages in {side_by_side}: {len(drawn)}")


def _convert_available(runs: Sequence[GridRun]) -> dict[str, CorpusParts]:
    """The corpora of runs, except those that aren't available."""
    converted = {}
    for name, source in {run.corpus: run.source for run in runs}.items():
        try:
            converted[name] = convert_corpus(name, source, CACHE)
        except ValueError as error:
            msg.warn(f"No pages of sentences for {name}. {error}")
    return converted


def _list(plan: Plan) -> None:
    """Print each run with its state."""
    rows = [(job.run.id, f"{job.steps:,}", plan.state(job)) for job in plan.jobs]
    msg.table(rows, header=("run", "steps", ""), aligns=("l", "r", "l"), divider=True)
    print(f"{len(plan.to_do(redo=False))} of {len(rows)} runs to do")


def _warn_of_stale(stale: dict[str, list[str]], what: str) -> None:
    if stale:
        msg.warn(f"{len(stale)} results are stale. They {what}.")
        for line in describe_stale(stale):
            print(f"  {line}")
