"""spaCy's own ``train`` under ``torchrun``: each process on a GPU of its own from the start."""

import functools
import os
from collections.abc import Callable
from typing import Any

from typer import Typer

from spacy_hgn.backend.gpu import check_gpu


def take_own_gpus(app: Typer) -> None:
    """Have ``train`` take the rank's GPU for the one that ``--gpu-id`` names.

    The logger that brings ranks together is made when the pipeline is there, and with it
    all that it holds on the first GPU. spaCy's command has no other hook before.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return
    for command in app.registered_commands:
        if command.name == "train" and command.callback is not None:
            command.callback = _on_own_gpu(command.callback)


def _on_own_gpu(train: Callable) -> Callable:
    @functools.wraps(train)
    def train_on_own_gpu(*args: Any, use_gpu: int, **settings: Any) -> Any:
        if use_gpu >= 0:
            from spacy_hgn.backend.ranks import own_gpu

            check_gpu(0)
            use_gpu = own_gpu()
        return train(*args, use_gpu=use_gpu, **settings)

    return train_on_own_gpu
