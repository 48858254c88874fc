"""spaCy's own ``train`` under ``torchrun``: each process on a GPU of its own from the start, and
one of them with an output folder."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer import Typer

from spacy_hgn.backend.gpu import check_gpu


def train_in_ranks(app: Typer) -> None:
    """Have ``train`` take the rank's GPU for the one that ``--gpu-id`` names, and write on the
    first rank alone.

    The logger that brings ranks together is made when the pipeline is there, and with it
    all that it holds on the first GPU. spaCy's command has no other hook before.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    for command in app.registered_commands:
        if command.name == "train" and command.callback is not None:
            command.callback = _as_rank(command.callback)


def _as_rank(train: Callable) -> Callable:
    @functools.wraps(train)
    def train_as_rank(*args: Any, output_path: Path | None, use_gpu: int, **settings: Any) -> Any:
        if use_gpu >= 0:
            from spacy_hgn.backend.ranks import own_gpu

            check_gpu(0)
            use_gpu = own_gpu()
        if os.environ["RANK"] != "0":
            output_path = None
        return train(*args, output_path=output_path, use_gpu=use_gpu, **settings)

    return train_as_rank
