"""The runs of a grid that are done, to do, or stale."""

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

from ..backend.torch_shim import resolve_precision
from ..training.recipes import fit_to_hero
from ..util.environment import describe_machine, describe_software
from .corpora import CorpusParts, convert_corpus
from .grid import Grid, GridRun, build_config, count_steps, flatten
from .grid_file import GridError
from .records import Record

TRAINING = 1
"""The version of the training code. Raise it if the same config trains other weights, as after a
change of the loss. Older results are then stale. tests/experiments/test_same_training.py fails
until it is raised."""

UNDECISIVE = ("components.doc_cleaner.", "training.logger.", "training.gpu_allocator")
"""Settings that don't influence the weights."""

NO_PART = ("python", "spacy-hgn")
"""Releases that don't influence the weights; for this package, see TRAINING."""

FETCHED = "hero/"
"""The folder of Heroes downloaded by scripts/fetch_hero.py."""

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
"""Possible names of models on the Hugging Face Hub. Everything else is a folder."""


@dataclass(frozen=True)
class Job:
    """A run with its resources. gpu_id: negative for the CPU."""

    run: GridRun
    config: Path
    corpus: CorpusParts
    threads: int
    gpu_id: int

    @property
    def sentences(self) -> int:
        """The number to train on."""
        return sum(self.corpus.sentences[part] for part in self.run.training_parts)

    @property
    def steps(self) -> int:
        """The number of updates in all epochs."""
        return count_steps(self.run, self.sentences)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings that influence its training. Raises the errors of ``build_config``."""
        return flatten(build_config(self.run, self.config, self.sentences))

    def paths(self) -> dict[str, list[Path]]:
        """The files to train on, to choose the epoch with, and to test on."""
        return {
            "training": [self.corpus.path(part) for part in self.run.training_parts],
            "dev": [self.corpus.path("dev")],
            "test": [self.corpus.path("test")],
        }

    def describe(self) -> Record:
        """Everything that influences its result, for its record."""
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
    """jobs: of all runs. recorded: ids of runs with a result. stale: the reasons for stale results,
    by the run's id. problems: messages about each corpus."""

    jobs: list[Job]
    recorded: set[str]
    stale: dict[str, list[str]]
    problems: dict[str, list[str]]

    def state(self, job: Job) -> str:
        """The state of a run: to do, done or stale."""
        if job.run.id not in self.recorded:
            return "to do"
        return "stale" if job.run.id in self.stale else "done"

    def to_do(self, redo: bool) -> list[Job]:
        """Jobs that aren't done. redo: include those with stale results."""
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
    """Check the runs' Heroes, convert their corpora, check their configs, and compare with the
    records.

    Raises GridError, CorpusError, OSError or ConfigValidationError if anything is invalid.
    """
    check_heroes(runs)
    sources = {run.corpus: run.source for run in runs}
    corpora = {name: convert_corpus(name, source, cache) for name, source in sources.items()}
    jobs = [Job(run, grid.config, corpora[run.corpus], threads, gpu_id) for run in runs]
    stale = {}
    for job in jobs:
        job.settings  # noqa: B018  (checks it)
        if record := recorded.get(job.run.id):
            stale[job.run.id] = find_changes(record, job.describe())
    return Plan(
        jobs,
        recorded={job.run.id for job in jobs} & recorded.keys(),
        stale={run_id: changes for run_id, changes in stale.items() if changes},
        problems={name: corpus.problems for name, corpus in corpora.items() if corpus.problems},
    )


def find_changes(record: Record, now: Record) -> list[str]:
    """Messages about everything that influences a result and has changed. Values that only one of
    the two records has are ignored."""
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
    """Messages with the number of results that are stale for the same reason, and one id."""
    reasons: dict[str, list[str]] = {}
    for run_id, changes in stale.items():
        more = ["..."] if len(changes) > shown else []
        reasons.setdefault("; ".join([*changes[:shown], *more]), []).append(run_id)
    return [f"{len(ids)} such as {ids[0]}: {reason}" for reason, ids in reasons.items()]


def check_heroes(runs: Sequence[GridRun]) -> None:
    """Raise GridError for a Hero in a missing folder. Names on the hub aren't checked."""
    for name, hero in {str(run.overrides["vars.hero"]): run.hero for run in runs}.items():
        fetched = name.startswith(FETCHED)
        is_folder = fetched or not HUB_NAME.fullmatch(name)
        if is_folder and not (Path(name) / "config.json").is_file():
            fetch = f"Fetch it: python scripts/fetch_hero.py {Path(name).name}"
            put = "Put it there, name a model on the Hugging Face hub"
            raise GridError(
                f"Hero {hero}: expected a folder {name} with config.json, got none. "
                f"{fetch if fetched else put}, or leave it out with --only hero=..."
            )


def _basis(record: Record) -> dict[str, Any]:
    """Everything except the config that influences a result. Records without ``training`` have
    version 1."""
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
    """The settings, with defaults for missing ones, so that a new setting changes nothing."""
    config = Config({"nlp": {"batch_size": 1}, "vars": {}, **dot_to_dict(settings)})
    fit_to_hero(config)
    nlp = spacy.blank("xx")
    try:
        for name, component in config["components"].items():
            defaults = nlp.get_factory_meta(component["factory"]).default_config
            config["components"][name] = Config(defaults).merge(component)
        settings = flatten(registry.fill(config, validate=False))
    except ValueError:  # a function that no longer exists
        pass
    return {name: settings[name] for name in settings if not name.startswith(UNDECISIVE)}


def _auto_precision(gpu_id: int) -> str:
    """The precision that "auto" selects on this machine."""
    return resolve_precision("auto", torch.device("cpu" if gpu_id < 0 else f"cuda:{gpu_id}"))
