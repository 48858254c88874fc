"""What a checkpoint holds, and the folder that holds checkpoints."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from . import folder
from .random_states import RandomState

STATE = "state.json"
ARRAYS = "arrays.safetensors"
FORMAT = 1
Arrays = dict[str, dict[str, Tensor]]
"""By what they are of, then by name."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found. batches, dev: digests of all batches so far and of the dev data."""

    step: int
    scores: dict[str, Any]
    losses: dict[str, float]
    batches: str
    dev: str


@dataclass(frozen=True)
class State:
    """A run behind a step, arrays apart."""

    step: int
    settings: dict[str, Any]
    surroundings: dict[str, str]
    evaluations: list[Evaluation]
    losses: dict[str, float]
    """Since the last evaluation."""
    batches: str
    """A digest of all so far."""
    best: int | None
    """The step of the best scores so far, None where pipelines aren't written."""
    random_at_start: RandomState
    random: RandomState
    optimizer: dict[str, Any]
    gradients: list[str]
    """The names of weights that have one."""

    def to_json(self) -> str:
        plain = {
            "format": FORMAT,
            **asdict(self),
            "random_at_start": self.random_at_start.to_json(),
            "random": self.random.to_json(),
        }
        return json.dumps(plain, default=float)  # scores and losses may be NumPy's numbers

    @classmethod
    def from_json(cls, text: str, where: Path) -> "State":
        """Raises ValueError for what another release of spacy-hgn wrote."""
        plain = json.loads(text)
        if (found := plain.pop("format", None)) != FORMAT:
            raise ValueError(
                f"The checkpoint {where} has format {found}, but this release of spacy-hgn reads "
                f"format {FORMAT}. Go on with the release that wrote it, or remove "
                f"{where.parent} to begin anew."
            )
        plain["evaluations"] = [Evaluation(**each) for each in plain["evaluations"]]
        plain["random_at_start"] = RandomState.from_json(plain["random_at_start"])
        plain["random"] = RandomState.from_json(plain["random"])
        return cls(**plain)


class Store:
    """A folder with the last checkpoint, ``step-N``, and the best pipeline so far, ``best-N``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def last(self) -> State | None:
        """The last checkpoint, None if there is none; what was left half done is cleared away.

        Raises ValueError if it is damaged, or another release wrote it.
        """
        steps = self._numbers("step")
        state = self._read(self.path / f"step-{steps[-1]}") if steps else None
        if state is not None and state.best is not None:
            folder.verify(self.path_of_best(state))
        self._clear(state)
        return state

    def write(self, state: State, arrays: Arrays, model_best: Path | None) -> None:
        """Write a checkpoint; then, and not before, remove those that it replaces.

        model_best: the best pipeline so far, None where none is written.
        Raises OSError where it can't be written; earlier ones are untouched then.
        """
        if model_best is not None and not self.path_of_best(state).exists():
            with folder.writing(self.path_of_best(state)) as unfinished:
                shutil.copytree(model_best, unfinished, dirs_exist_ok=True)
        with folder.writing(self.path_of(state)) as unfinished:
            save_file(_flatten(arrays), unfinished / ARRAYS)
            (unfinished / STATE).write_text(state.to_json(), encoding="utf8")
        self._clear(state)

    def read_arrays(self, state: State) -> Arrays:
        found: Arrays = {}
        for label, tensor in load_file(self.path_of(state) / ARRAYS).items():
            group, _, name = label.partition("/")
            found.setdefault(group, {})[name] = tensor
        return found

    def copy_best(self, state: State, target: Path) -> None:
        """Put the best pipeline so far into the place of the target."""
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(
            self.path_of_best(state), target, ignore=shutil.ignore_patterns(folder.MANIFEST)
        )

    def path_of(self, state: State) -> Path:
        return self.path / f"step-{state.step}"

    def path_of_best(self, state: State) -> Path:
        return self.path / f"best-{state.best}"

    def _read(self, path: Path) -> State:
        folder.verify(path)
        return State.from_json((path / STATE).read_text(encoding="utf8"), path)

    def _clear(self, state: State | None) -> None:
        """Remove all but this checkpoint."""
        kept = set() if state is None else {self.path_of(state), self.path_of_best(state)}
        for kind in ("step", "best"):
            for number in self._numbers(kind):
                if (old := self.path / f"{kind}-{number}") not in kept:
                    folder.remove(old)
        folder.clear(self.path)

    def _numbers(self, kind: str) -> list[int]:
        endings = [path.name.removeprefix(f"{kind}-") for path in self.path.glob(f"{kind}-*")]
        return sorted(int(ending) for ending in endings if ending.isdecimal())


def _flatten(arrays: Arrays) -> dict[str, Tensor]:
    """All in one dictionary, and none in the memory of another, as safetensors wants them."""
    found: dict[str, Tensor] = {}
    places = set()
    for group, tensors in arrays.items():
        for name, tensor in tensors.items():
            tensor = tensor.detach().cpu().contiguous()
            found[f"{group}/{name}"] = tensor.clone() if tensor.data_ptr() in places else tensor
            places.add(tensor.data_ptr())
    return found
