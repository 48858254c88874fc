"""Runs of several ranks on this machine: forked where that will do, for it is quicker."""

import contextlib
import json
import multiprocessing
import os
import socket
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spacy
from checkpoints.helpers import hero_config
from thinc.api import Config

from spacy_hgn.backend.ranks import Ranks, join
from spacy_hgn.training.distributed.rank_hooks import RankHooks

PRELOADED = [
    "spacy",
    "spacy_transformers",
    "spacy_hgn.hgn_ner",
    "spacy_hgn.training.distributed.logger",
]
SECONDS = 300
"""No rank takes as long, unless it waits for ever."""


def ranks_config(hero: str, **overrides: Any) -> Config:
    """A config for several ranks: the tiny Hero, a tagger and hgn_ner, 13 steps."""
    config = hero_config(hero, **{"training.batcher.size": 2})
    config["training"]["logger"] = {"@loggers": "spacy-hgn.Distributed.v1", "timeout": SECONDS}
    config["corpora"]["train"] = {
        "@readers": "spacy-hgn.ShardedCorpus.v1",
        "corpus": config["corpora"]["train"],
    }
    return Config().from_str(config.to_str(), overrides=overrides, interpolate=False)


@dataclass
class Outcome:
    """How a rank's process ended."""

    code: int
    result: Any
    printed: str
    error: str


def in_ranks(target: Callable[..., Any], arguments: list[tuple], folder: Path) -> list[Outcome]:
    """Call a function in as many ranks as there are tuples of arguments, each with its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, __name__])
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    size = len(arguments)
    processes = [
        context.Process(target=_call, args=(target, own, rank, size, port, folder))
        for rank, own in enumerate(arguments)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(SECONDS)
    endless = [process for process in processes if process.exitcode is None]
    for process in endless:
        process.kill()
    assert not endless, "a rank waits for ever"
    return [_outcome(folder, rank, process.exitcode) for rank, process in enumerate(processes)]


def in_group(target: Callable[[Ranks], Any], size: int, folder: Path) -> list[Any]:
    """What a function of the group returns on each rank."""
    outcomes = in_ranks(_join_and_call, [(target,)] * size, folder)
    assert [each.code for each in outcomes] == [0] * size, outcomes
    return [each.result for each in outcomes]


def train(configs: list[Config], folder: Path) -> list[Outcome]:
    """``spacy train`` in as many ranks as there are configs; results are checksums of all weights
    after each step."""
    paths = [folder / f"rank-{rank}.cfg" for rank in range(len(configs))]
    for config, path in zip(configs, paths):
        config.to_disk(path)
    (folder / "out").mkdir(exist_ok=True)
    return in_ranks(_train, [(str(path),) for path in paths], folder)


def _train(config: str) -> list[int]:
    checksums: list[int] = []
    after_step = RankHooks.after_step

    def counting(hooks: RankHooks, info: Any) -> None:
        arrays = [tensor.detach().numpy().tobytes() for tensor in hooks.models.arrays().values()]
        checksums.append(zlib.crc32(b"".join(arrays)))
        after_step(hooks, info)

    RankHooks.after_step = counting  # type: ignore[method-assign]
    spacy.cli.train.train(config, "out" if os.environ["RANK"] == "0" else None)
    return checksums


def _join_and_call(target: Callable[[Ranks], Any]) -> Any:
    return target(join(None, SECONDS))


def _call(
    target: Callable[..., Any], own: tuple, rank: int, size: int, port: int, folder: Path
) -> None:
    os.chdir(folder)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size))
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=str(port))
    with contextlib.ExitStack() as stack:
        for name, redirect in (
            ("printed", contextlib.redirect_stdout),
            ("error", contextlib.redirect_stderr),
        ):
            file = stack.enter_context(open(f"{name}-{rank}.txt", "w", encoding="utf8"))
            stack.enter_context(redirect(file))
        stack.enter_context(_traceback())
        Path(f"result-{rank}.json").write_text(json.dumps(target(*own)))


@contextlib.contextmanager
def _traceback():
    """Have errors told where standard error goes."""
    import traceback

    try:
        yield
    except BaseException:
        traceback.print_exc()
        raise


def _outcome(folder: Path, rank: int, code: int | None) -> Outcome:
    result = folder / f"result-{rank}.json"
    texts = [(folder / f"{name}-{rank}.txt").read_text("utf8") for name in ("printed", "error")]
    assert code is not None
    return Outcome(code, json.loads(result.read_text()) if result.exists() else None, *texts)
