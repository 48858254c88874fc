"""Runs that another grid under the same results has done: taken over, not trained again."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .job import Job
from .protocols import PROTOCOLS
from .store import Record, Store


class Twins:
    """The runs of the other grids under a folder of results, by what decides about a run: its
    config with the seed, its corpus, the parts it trained on, and its protocol."""

    def __init__(self, results: Path, grid: str) -> None:
        self._found: dict[str, tuple[Store, Record]] = {}
        for path in sorted(results.glob("*/runs.jsonl")):
            if path.parent.name != grid:
                store = Store(path.parent, path.parent)
                found = [record for record in store.read().values() if store.is_whole(record)]
                self._found |= {_key_of(record): (store, record) for record in found}

    def grid_of(self, job: Job) -> str | None:
        """The name of the grid that has done a job."""
        found = self._found.get(_key_for(job))
        return _name_origin(*found) if found else None

    def take_over(self, jobs: Sequence[Job], store: Store) -> dict[str, str]:
        """Copy the results of those jobs that another grid has done to a grid's store.

        Returns the other grid's name by the job's run id. A job that another process is doing,
        or has done by now, is left to it.
        """
        taken = {}
        for job in jobs:
            found = self._found.get(_key_for(job))
            claim = store.claim(job.run.id) if found else None
            if not (found and claim):
                continue
            try:
                if job.run.id not in store.read():
                    _copy(*found, job, store)
                    taken[job.run.id] = _name_origin(*found)
            finally:
                claim.release()
        return taken


def _copy(other: Store, record: Record, job: Job, store: Store) -> None:
    taken = {**record, **job.run.describe(), "taken_from": _name_origin(other, record)}
    store.add(taken, other.read_predictions(record), other.read_gold(record))


def _name_origin(store: Store, record: Record) -> str:
    """The grid that trained, also where the run was taken over before."""
    name: str = record.get("taken_from", store.folder.name)
    return name


def _key_of(record: Record) -> str:
    parts = record.get("trained_on", PROTOCOLS[record["protocol"]].training_parts)
    return _make_key(record["config"], record["corpus_digest"], parts, record["protocol"])


def _key_for(job: Job) -> str:
    return _make_key(job.settings, job.corpus_digest, job.run.training_parts, job.run.protocol)


def _make_key(config: dict[str, Any], corpus: str, parts: Sequence[str], protocol: str) -> str:
    return json.dumps([config, corpus, list(parts), protocol], sort_keys=True)
