"""spaCy's own ``train`` under ``torchrun``: each process has its own GPU from the start, and only
one writes output."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer import Typer

from spacy_hgn.backend.gpu import check_gpu


def train_in_ranks(app: Typer) -> None:
    """Have ``train`` use the rank's GPU instead of the one in ``--gpu-id``, and write output on the
    first rank only.

    The logger that connects the ranks is made too late for this: by then, the pipeline is already
    on the first GPU. spaCy's command has no earlier hook.
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
