"""The same through Ray Data: actors, each with a pipeline, take the shards that aren't done.

Ray schedules, starts actors again that die, and gives their shard to another. Since a shard is
done whole or not at all, and once, one thing alone is added: an end, if all actors die of a shard.
"""

import json
import logging
import math
import pickle
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..backend.gpu import use_gpu
from .errors import AnnotatingError
from .here import load_pipeline
from .plan import Shard
from .settings import Settings
from .shard import Progress, Receipt, annotate_shard
from .whole_files import UNFINISHED

SHARD, RECEIPT = "shard", "receipt"

DEATHS = 3
"""Of actors over one shard, in a run: more aren't given to it. Ray alone would do so for ever."""


@dataclass(frozen=True)
class Cluster:
    """Where Ray runs, and what an actor gets.

    address: of a cluster, "auto" for the one that this machine belongs to, or "local" to start
    one here. workers: actors; None, as many as there is room for. cpus, gpus: an actor's; the
    GPU's may be a fraction.
    """

    address: str = "local"
    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0


class Annotator:
    """An actor: loads the pipeline once, and does a shard a row."""

    def __init__(self, settings: Settings, on_gpu: bool, run: str) -> None:
        """run: a name for this run of the command."""
        if on_gpu:
            use_gpu(0)  # of those that Ray lets the actor see
        self.settings = settings
        self.run = run
        self.nlp = load_pipeline(settings)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, list[str]]:
        """Do the shards of a batch; their receipts."""
        receipts = [self.try_shard(pickle.loads(shard)) for shard in batch[SHARD]]
        return {RECEIPT: [json.dumps(asdict(receipt)) for receipt in receipts]}

    def try_shard(self, shard: Shard) -> Receipt:
        """Do a shard. Raises AnnotatingError if actors have died of it too often."""
        notes = self.settings.output / UNFINISHED
        notes.mkdir(exist_ok=True)
        name = f"{shard.name}-{self.run}"
        if len(list(notes.glob(f"{name}-*"))) >= DEATHS:
            first = shard.parts[0]
            raise AnnotatingError(
                f"{DEATHS} actors have died of shard {shard.name}, which begins at "
                f"{first.file.name}:{first.piece.first}"
            )
        note = notes / f"{name}-{uuid4().hex}"
        note.touch()
        receipt = self.annotate(shard)
        note.unlink(missing_ok=True)
        return receipt

    def annotate(self, shard: Shard) -> Receipt:
        return annotate_shard(self.nlp, shard, self.settings)


def require_ray() -> None:
    """Raise AnnotatingError with what to install where Ray lacks."""
    if find_spec("ray") is None:
        raise AnnotatingError(
            "--ray needs Ray Data, which isn't installed: pip install 'spacy-hgn[ray]'"
        )


def start(address: str) -> None:
    """Start Ray, or join the cluster at an address. Raises AnnotatingError where that fails."""
    import ray

    _require_answer(address)
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.WARNING)
    except Exception as error:  # Ray's have nothing in common
        raise AnnotatingError(f"Ray doesn't start at {address}: {error}") from error


def _require_answer(address: str) -> None:
    """Raise AnnotatingError where nothing listens at HOST:PORT; Ray would try for many minutes.

    Other addresses, as "auto", are left to Ray.
    """
    host, _, port = address.rpartition(":")
    if not (port.isdecimal() and host and "/" not in host):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise AnnotatingError(
            f"{address}: expected a Ray cluster, none answers ({error})"
        ) from error


def annotate_with_ray(
    shards: Sequence[Shard], settings: Settings, cluster: Cluster, progress: Progress
) -> Iterator[Receipt]:
    """Do shards on a cluster whose machines see the same files under the same names.

    Raises AnnotatingError with the actor's error if a shard can't be done, where actors die
    of it again and again, and if there is no cluster at the address.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext, from_items

    start(cluster.address)
    try:
        context = DataContext.get_current()
        context.enable_progress_bars = False  # there is one already
        context.print_on_execution_start = False
        rows = from_items(
            [{SHARD: pickle.dumps(shard)} for shard in shards], override_num_blocks=len(shards)
        ).map_batches(
            Annotator,
            fn_constructor_kwargs={
                "settings": _everywhere(settings),
                "on_gpu": cluster.gpus > 0,
                "run": uuid4().hex,
            },
            batch_size=1,
            compute=ActorPoolStrategy(size=min(_count_workers(cluster), len(shards))),
            num_cpus=cluster.cpus,
            num_gpus=cluster.gpus,
        )
        for row in rows.iter_rows():
            receipt = Receipt(**json.loads(row[RECEIPT]))
            progress(receipt.documents + receipt.failed, receipt.words)
            yield receipt
    except ray.exceptions.RayError as error:
        raise AnnotatingError(f"Ray: {error}") from error
    finally:
        ray.shutdown()


def _count_workers(cluster: Cluster) -> int:
    """Actors that there is room for."""
    import ray

    if cluster.workers is not None:
        return cluster.workers
    has = ray.cluster_resources()
    by_cpus = has.get("CPU", 0) / cluster.cpus if cluster.cpus else math.inf
    by_gpus = has.get("GPU", 0) / cluster.gpus if cluster.gpus else math.inf
    room = min(by_cpus, by_gpus)
    if room < 1:
        raise AnnotatingError(
            f"Ray: expected room for an actor with {cluster.cpus:g} CPUs and {cluster.gpus:g} "
            f"GPUs, the cluster has {has.get('CPU', 0):g} and {has.get('GPU', 0):g}"
        )
    return int(room) if room != math.inf else 1


def _everywhere(settings: Settings) -> Settings:
    """The settings with paths that don't depend on the current folder."""
    is_folder = Path(settings.pipeline).is_dir()
    return replace(
        settings,
        pipeline=str(Path(settings.pipeline).resolve()) if is_folder else settings.pipeline,
        output=settings.output.resolve(),
        code=settings.code and settings.code.resolve(),
    )
