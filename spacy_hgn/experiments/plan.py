"""Which runs of a grid are done, which are to do, and of which the result is stale."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.util import dot_to_dict, registry
from thinc.api import Config

from ..backend.precision import resolve_precision
from ..training.recipes import fit_to_hero
from ..util.environment import describe_machine, describe_software
from .corpora import CorpusParts, convert_corpus
from .grid import Grid, GridRun, build_config, count_steps, flatten
from .grid_file import GridError
from .records import Record

TRAINING = 1
"""What a config trains: another number, where the same config trains something else, as after a
change of the loss. By it, older results are known to be stale. tests/experiments/
test_same_training.py finds out that it has to be raised."""

UNDECISIVE = ("components.doc_cleaner.", "training.logger.", "training.gpu_allocator")
"""Settings that don't decide what is trained."""

NO_PART = ("python", "spacy-hgn")
"""Releases that don't decide what is trained; of this package, TRAINING does."""

FETCHED = "hero/"
"""The project's own folder, which scripts/fetch_hero.py fills."""

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
"""What may be the name of a model on the Hugging Face hub. All else is a folder."""


@dataclass(frozen=True)
class Job:
    """A run, and what it's done with. gpu_id: below 0 for the processor."""

    run: GridRun
    config: Path
    corpus: CorpusParts
    threads: int
    gpu_id: int

    @property
    def sentences(self) -> int:
        """Those that it trains on."""
        return sum(self.corpus.sentences[part] for part in self.run.training_parts)

    @property
    def steps(self) -> int:
        """Updates in all epochs."""
        return count_steps(self.run, self.sentences)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What of the config decides about its training. Raises what ``build_config`` does."""
        return flatten(build_config(self.run, self.config, self.sentences))

    def paths(self) -> dict[str, list[Path]]:
        """What to train on, to choose the epoch by, and to test on."""
        return {
            "training": [self.corpus.path(part) for part in self.run.training_parts],
            "dev": [self.corpus.path("dev")],
            "test": [self.corpus.path("test")],
        }

    def describe(self) -> Record:
        """All that decides its result, as its record has it."""
        return {
            **self.run.describe(),
            "steps": self.steps,
            "sentences": self.corpus.sentences,
            "corpus_digest": self.corpus.digest,
            "config": self.settings,
            "training": TRAINING,
            "software": describe_software(),
            "machine": {
                **describe_machine(self.gpu_id),
                "threads": self.threads,
                "auto_precision": _auto_precision(self.gpu_id),
            },
        }


@dataclass(frozen=True)
class Plan:
    """jobs: of all runs. recorded: the ids of runs that are there. stale: why the results of some
    of these don't stand, by the run's id. problems: of each corpus, in words."""

    jobs: list[Job]
    recorded: set[str]
    stale: dict[str, list[str]]
    problems: dict[str, list[str]]

    def state(self, job: Job) -> str:
        """Of a run: to do, done or stale."""
        if job.run.id not in self.recorded:
            return "to do"
        return "stale" if job.run.id in self.stale else "done"

    def to_do(self, redo: bool) -> list[Job]:
        """Jobs that aren't done. redo: also those whose results are stale."""
        states = ("to do", "stale") if redo else ("to do",)
        return [job for job in self.jobs if self.state(job) in states]


def make_plan(
    grid: Grid,
    runs: Sequence[GridRun],
    recorded: Mapping[str, Record],
    cache: Path,
    threads: int,
    gpu_id: int,
) -> Plan:
    """Look for the runs' Heroes, convert their corpora, try their configs, and look at what is
    recorded.

    Raises GridError, CorpusError, OSError or ConfigValidationError for what can't be.
    """
    check_heroes(runs)
    sources = {run.corpus: run.source for run in runs}
    corpora = {name: convert_corpus(name, source, cache) for name, source in sources.items()}
    jobs = [Job(run, grid.config, corpora[run.corpus], threads, gpu_id) for run in runs]
    stale = {}
    for job in jobs:
        job.settings  # noqa: B018  (tried)
        if record := recorded.get(job.run.id):
            stale[job.run.id] = find_changes(record, job.describe())
    return Plan(
        jobs,
        recorded={job.run.id for job in jobs} & recorded.keys(),
        stale={run_id: changes for run_id, changes in stale.items() if changes},
        problems={name: corpus.problems for name, corpus in corpora.items() if corpus.problems},
    )


def find_changes(record: Record, now: Record) -> list[str]:
    """What of that which decides a result is another now than it was, in words. What one of the
    two doesn't tell is passed over."""
    before, after = _basis(record), _basis(now)
    shared = before.keys() & after.keys()
    before, after = ({name: basis[name] for name in shared} for basis in (before, after))
    if record["config"] != now["config"]:
        before |= _fill(record["config"])
        after |= _fill(now["config"])
    return [
        f"{name}: {before.get(name)} → {after.get(name)}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def describe_stale(stale: Mapping[str, Sequence[str]], shown: int = 5) -> list[str]:
    """In words, how many results are stale for the same reason, and one of their ids."""
    reasons: dict[str, list[str]] = {}
    for run_id, changes in stale.items():
        more = ["..."] if len(changes) > shown else []
        reasons.setdefault("; ".join([*changes[:shown], *more]), []).append(run_id)
    return [f"{len(ids)} such as {ids[0]}: {reason}" for reason, ids in reasons.items()]


def check_heroes(runs: Sequence[GridRun]) -> None:
    """Raise GridError for a Hero that is a folder, and not there. The hub isn't asked."""
    for name, hero in {str(run.overrides["vars.hero"]): run.hero for run in runs}.items():
        fetched = name.startswith(FETCHED)
        is_folder = fetched or not HUB_NAME.fullmatch(name)
        if is_folder and not (Path(name) / "config.json").is_file():
            fetch = f"Fetch it: python scripts/fetch_hero.py {Path(name).name}"
            put = "Put it there, name a model on the Hugging Face hub"
            raise GridError(
                f"Hero {hero}: expected a folder {name} with config.json, got none. "
                f"{fetch if fetched else put}, or leave it out by --only hero=..."
            )


def _basis(record: Record) -> dict[str, Any]:
    """What decides a result besides the config. Records without a number for what is trained are
    older than the first change of it."""
    releases = record.get("software", {})
    basis = {
        "corpus": record.get("corpus_digest"),
        "training": record.get("training", 1),
        "auto precision": record.get("machine", {}).get("auto_precision"),
        # torch 2.13.0+cpu and 2.13.0+cu130 are the same
        **{name: release.partition("+")[0] for name, release in releases.items()},
    }
    return {name: value for name, value in basis.items() if not (value is None or name in NO_PART)}


def _fill(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that decide, with the defaults of those left out: a new one changes nothing."""
    config = Config({"nlp": {"batch_size": 1}, "vars": {}, **dot_to_dict(settings)})
    fit_to_hero(config)
    nlp = spacy.blank("xx")
    try:
        for name, component in config["components"].items():
            defaults = nlp.get_factory_meta(component["factory"]).default_config
            config["components"][name] = Config(defaults).merge(component)
        settings = flatten(registry.fill(config, validate=False))
    except ValueError:  # functions of then that there aren't any more
        pass
    return {name: settings[name] for name in settings if not name.startswith(UNDECISIVE)}


def _auto_precision(gpu_id: int) -> str:
    """What the precision "auto" is on this machine."""
    return resolve_precision("auto", torch.device("cpu" if gpu_id < 0 else f"cuda:{gpu_id}"))
