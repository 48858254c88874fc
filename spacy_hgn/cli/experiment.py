"""``spacy hgn experiment``: grids of trainings and what they show."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from rich.console import Console
from thinc.api import ConfigValidationError
from typer import Argument, Exit, Option, Typer
from wasabi import msg

from spacy_hgn.backend.gpu import check_gpu
from spacy_hgn.experiments.board import Board
from spacy_hgn.experiments.corpora import CorpusParts, convert_corpus
from spacy_hgn.experiments.grid import Run, filter_runs, read_grid
from spacy_hgn.experiments.plan import Plan, make_plan
from spacy_hgn.experiments.runner import Outcome, run_jobs
from spacy_hgn.experiments.settings import count_steps
from spacy_hgn.experiments.store import Store
from spacy_hgn.experiments.twins import Twins

from . import hgn_cli
from .pipelines import ending_at

experiment_cli = Typer(
    name="experiment", help="Run grids of trainings, and report on them.", no_args_is_help=True
)
hgn_cli.add_typer(experiment_cli)

CACHE = Path("corpus") / "experiments"
WORK = Path("training") / "experiments"
CONDITIONS = "Runs to take: corpus=wnut17,system=base ... of corpus, hero, system, seed, protocol"

GridPath = Annotated[Path, Argument(help="Grid file, YAML")]
Results = Annotated[Path, Option("--results", help="Folder of results; a grid has its own in it")]
Only = Annotated[list[str], Option("--only", help=CONDITIONS)]


@experiment_cli.command("run")
def run_cli(
    grid_path: GridPath,
    only: Only = [],
    jobs: Annotated[int, Option("--jobs", min=1, help="Runs side by side")] = 1,
    threads: Annotated[int, Option("--threads", min=0, help="Of each run; 0: share all")] = 0,
    gpu_id: Annotated[int, Option("--gpu-id", help="GPU, or -1 for the processor")] = -1,
    results: Results = Path("results"),
    redo: Annotated[bool, Option("--redo", help="Also runs whose config file changed")] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="List the runs, train nothing")] = False,
) -> None:
    """Train and score the runs of a grid that aren't done yet.

    A run that ends adds a line to RESULTS/GRID/runs.jsonl and its entities to
    RESULTS/GRID/predictions. Stopped or killed, the same command goes on with the rest; several
    of them may work on one grid. A run that another grid under RESULTS has done with the same
    config, corpus and protocol is taken from there. The exit status is 1 if a run failed.
    """
    try:
        grid = read_grid(grid_path)
        runs = filter_runs(grid.runs, only)
        store = Store(results / grid.name, WORK / grid.name)
        threads = threads or max(1, (os.cpu_count() or 1) // jobs)
        plan = make_plan(grid, runs, store.read(), CACHE, threads, gpu_id)
        twins = Twins(results, grid.name)
    except (ValueError, OSError, ConfigValidationError) as error:
        msg.fail(str(error))
        raise Exit(2) from error
    for corpus, problems in plan.problems.items():
        for problem in problems:
            msg.warn(f"{corpus}: {problem}")
    if dry_run:
        _list(plan, twins)
        return
    with ending_at("Can't train"):
        check_gpu(gpu_id)
    _warn_of_changes(plan, redo)
    taken = twins.take_over(plan.to_do(redo=False), store)
    for run_id, other in taken.items():
        msg.info(f"{run_id}: taken from {other}, where the same was done")
    to_do = [job for job in plan.to_do(redo) if job.run.id not in taken]
    steps = sum(count_steps(job.run, job.training_sentences) for job in to_do)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with Board(Console(), len(runs), len(runs) - len(to_do), steps) as board:
        outcome = run_jobs(to_do, store, board, plan.recorded, side_by_side=jobs)
    _tell(outcome, store)
    if outcome.failed:
        raise Exit(1)


@experiment_cli.command("report")
def report_cli(grid_path: GridPath, results: Results = Path("results")) -> None:
    """Write what a grid's runs show: tables, figures, and sentences that systems differ in.

    RESULTS/GRID/report.md has all tables, beside the paper's values, and shows the figures. For
    the sentences, the corpora must be at hand.
    """
    from spacy_hgn.experiments.figures import draw_figures
    from spacy_hgn.experiments.report import write_report
    from spacy_hgn.experiments.results import Results
    from spacy_hgn.experiments.side_by_side import draw_pages

    try:
        grid = read_grid(grid_path)
        found = Results(grid, Store(results / grid.name, WORK / grid.name))
    except ValueError as error:
        msg.fail(str(error))
        raise Exit(2) from error
    draw_figures(found)
    draw_pages(found, _convert_available(found.done))
    report = found.store.folder / "report.md"
    report.write_text(write_report(found), encoding="utf8")
    msg.good(f"Report is in {report}")


def _convert_available(runs: Sequence[Run]) -> dict[str, CorpusParts]:
    """The corpora of runs, but for those that aren't here."""
    converted = {}
    for name, source in {run.corpus: run.source for run in runs}.items():
        try:
            converted[name] = convert_corpus(name, source, CACHE)
        except ValueError as error:
            msg.warn(f"No sentences are drawn. {error}")
    return converted


def _list(plan: Plan, twins: Twins) -> None:
    """Each run with its state."""
    missing = plan.to_do(redo=False)
    states = {job.run.id: "to do" for job in missing}
    states |= {job.run.id: f"done in {other}" for job in missing if (other := twins.grid_of(job))}
    rows = [
        (
            job.run.id,
            f"{count_steps(job.run, job.training_sentences):,}",
            states.get(job.run.id, "done"),
        )
        for job in plan.jobs
    ]
    msg.table(rows, header=("run", "steps", ""), aligns=("l", "r", "l"), divider=True)
    print(f"{list(states.values()).count('to do')} of {len(rows)} runs to do")


def _warn_of_changes(plan: Plan, redo: bool) -> None:
    if not plan.changed:
        return
    run_id, differences = next(iter(plan.changed.items()))
    what = "are done again" if redo else "are left as they are; --redo does them again"
    msg.warn(
        f"{len(plan.changed)} runs were done with other settings in the config file or another "
        f"corpus. They {what}. In {run_id}: {'; '.join(differences[:5])}"
    )


def _tell(outcome: Outcome, store: Store) -> None:
    if outcome.elsewhere:
        msg.info(f"{len(outcome.elsewhere)} runs are being done by another invocation")
    if outcome.failed:
        msg.fail(f"{len(outcome.failed)} runs failed: {', '.join(outcome.failed)}")
        print(f"Their errors are in {store.failures}, their logs in {store.folder / 'logs'}")
    else:
        msg.good(f"Results are in {store.runs}")
