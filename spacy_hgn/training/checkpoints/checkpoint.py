"""Checkpoints and their files: arrays as safetensors, everything else as JSON in the header."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..loop.hooks import Losses, Scores
from ..loop.random_numbers import RandomState

FORMAT = "2"
Arrays = dict[str, dict[str, Tensor]]
"""Arrays of the models, their settings and the optimizer, by name."""


@dataclass(frozen=True)
class Evaluation:
    """The evaluation after a step. train_data: a digest of all batches so far."""

    step: int
    scores: Scores
    losses: Losses
    train_data: str


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after a step, without arrays."""

    step: int
    settings: dict[str, Any]
    environment: dict[str, str]
    evaluations: list[Evaluation]
    losses: Losses
    """Losses since the last evaluation."""
    train_data: str
    """A digest of all batches so far."""
    dev_data: str
    best: str | None
    """The folder of the best pipeline so far; None if pipelines aren't written."""
    random_at_start: RandomState
    random: RandomState
    optimizer: dict[str, Any]
    gradients: list[str]
    """The names of weights with a gradient."""

    def write(self, path: Path, arrays: Arrays) -> None:
        """Raises OSError or SafetensorError if the file can't be written."""
        plain = json.dumps(asdict(self), default=lambda array: array.tolist())
        save_file(_flatten(arrays), path, metadata={"format": FORMAT, "checkpoint": plain})

    @classmethod
    def read(cls, path: Path) -> "Checkpoint":
        """Raises ValueError if another release of spacy-hgn wrote the file."""
        with safe_open(path, "pt") as file:
            head = file.metadata()
        if (found := head["format"]) != FORMAT:
            raise ValueError(
                f"The checkpoint {path} has format {found}, but this release of spacy-hgn reads "
                f"format {FORMAT}. Resume with the release that wrote it, or remove "
                f"{path.parent} to start over."
            )
        plain = json.loads(head["checkpoint"])
        evaluations = [Evaluation(**each) for each in plain.pop("evaluations")]
        return cls(evaluations=evaluations, **plain)


def read_arrays(path: Path) -> Arrays:
    found: Arrays = {}
    for label, tensor in load_file(path).items():
        group, _, name = label.partition("/")
        found.setdefault(group, {})[name] = tensor
    return found


def _flatten(arrays: Arrays) -> dict[str, Tensor]:
    """All in one dictionary without shared memory, as safetensors requires."""
    found: dict[str, Tensor] = {}
    places = set()
    for group, tensors in arrays.items():
        for name, tensor in tensors.items():
            tensor = tensor.detach().cpu().contiguous()
            found[f"{group}/{name}"] = tensor.clone() if tensor.data_ptr() in places else tensor
            places.add(tensor.data_ptr())
    return found
