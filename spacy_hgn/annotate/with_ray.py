"""Annotate on Ray: actors, each with a pipeline, take the unfinished shards.

Ray schedules, restarts actors that die, and gives them their shard again. Shards are written
completely or not at all, so nothing else is needed.
"""

import logging
import math
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spacy.language import Language

from ..backend.gpu import use_gpu
from .prediction import load_annotator
from .receipts import Progress, Receipt, annotate_shard
from .settings import AnnotateError, AnnotateSettings
from .shards import Shard

DEATHS = 3
"""The number of actors that may die of one shard before the run ends."""


@dataclass(frozen=True)
class RayCluster:
    """Where Ray runs, and the resources of its actors.

    address: of a cluster, "auto" for this machine's, or "local" to start one here. workers: the
    number of actors; None is as many as fit. cpus, gpus: per actor; gpus may be a fraction.
    """

    address: str = "local"
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0


class Annotator:
    """An actor: loads the pipeline once, with its first shard."""

    def __init__(self, settings: AnnotateSettings, on_gpu: bool) -> None:
        self.settings, self.on_gpu = settings, on_gpu
        self.nlp: Language | None = None

    def annotate(self, shard: Shard) -> Receipt:
        """Annotate a shard. Raises the errors of ``load_annotator`` and ``annotate_shard``."""
        if self.nlp is None:
            use_gpu(0 if self.on_gpu else -1)  # among those that Ray lets the actor see
            self.nlp = load_annotator(self.settings)
        return annotate_shard(self.nlp, shard, self.settings)


def require_ray() -> None:
    """Raise AnnotateError, with the command to install it, if Ray is missing."""
    if find_spec("ray") is None:
        raise AnnotateError("--ray needs Ray, which isn't installed: pip install 'spacy-hgn[ray]'")


def annotate_with_ray(
    shards: Iterable[Shard], settings: AnnotateSettings, cluster: RayCluster, progress: Progress
) -> Iterator[Receipt]:
    """Annotate shards on a cluster whose machines have the same files at the same paths.

    Raises AnnotateError, with the actor's error, if a shard can't be annotated, if several actors
    die of it, and if there is no cluster at the address.
    """
    import ray

    _start(cluster.address)
    try:
        limit = _count_workers(cluster)
        remote: Any = ray.remote(
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus,
            max_restarts=-1,
            max_task_retries=DEATHS - 1,
        )(Annotator)
        running: dict[Any, tuple[Any, Shard]] = {}
        for shard in shards:
            if len(running) < limit:
                actor = remote.remote(_everywhere(settings), cluster.gpus > 0)
            else:
                actor, receipt = _wait(running, progress)
                yield receipt
            running[actor.annotate.remote(shard)] = actor, shard
        while running:
            yield _wait(running, progress)[1]
    except ray.exceptions.RayError as error:
        raise AnnotateError(f"Ray: {error}") from error
    finally:
        ray.shutdown()


def _wait(running: dict[Any, tuple[Any, Shard]], progress: Progress) -> tuple[Any, Receipt]:
    """Wait for the first actor to finish its shard. Returns it and the receipt."""
    import ray

    (ended,), _ = ray.wait(list(running), num_returns=1)
    actor, shard = running.pop(ended)
    try:
        receipt: Receipt = ray.get(ended)
    except ray.exceptions.RayTaskError as error:
        raise AnnotateError(str(error.cause)) from error
    except ray.exceptions.RayActorError as error:
        first = shard.pieces[0]
        raise AnnotateError(
            f"{DEATHS} actors died on shard {shard.name}, which begins at "
            f"{first.file.name}:{first.first}"
        ) from error
    progress(receipt.documents + receipt.failed, receipt.words, shard.size)
    return actor, receipt


def _start(address: str) -> None:
    """Start Ray, or join the cluster at an address. Raises AnnotateError if that fails."""
    import ray

    host, _, port = address.rpartition(":")
    try:
        if port.isdecimal() and host and "/" not in host:  # Ray would try for many minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise AnnotateError(f"{address}: expected a Ray cluster, got {error}") from error
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING)
    except Exception as error:  # Ray's errors have no common base class
        raise AnnotateError(f"Ray doesn't start at {address}: {error}") from error


def _count_workers(cluster: RayCluster) -> int:
    """The number of actors that fit on the cluster."""
    import ray

    if cluster.workers is not None:
        return cluster.workers
    has = ray.cluster_resources()
    by_cpus = has.get("CPU", 0) / cluster.cpus if cluster.cpus else math.inf
    by_gpus = has.get("GPU", 0) / cluster.gpus if cluster.gpus else math.inf
    room = min(by_cpus, by_gpus)
    if room < 1:
        raise AnnotateError(
            f"Ray: expected room for an actor with {cluster.cpus:g} CPUs and {cluster.gpus:g} "
            f"GPUs, but the cluster has {has.get('CPU', 0):g} and {has.get('GPU', 0):g}"
        )
    return int(room) if room != math.inf else 1


def _everywhere(settings: AnnotateSettings) -> AnnotateSettings:
    """The settings with absolute paths."""
    is_folder = Path(settings.pipeline).is_dir()
    return replace(
        settings,
        pipeline=str(Path(settings.pipeline).resolve()) if is_folder else settings.pipeline,
        output=settings.output.resolve(),
        code=settings.code and settings.code.resolve(),
    )
