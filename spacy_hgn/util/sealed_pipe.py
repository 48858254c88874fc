"""Storage of a component with checksums, to detect damaged files."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from spacy import util
from spacy.errors import Errors
from spacy.pipeline.trainable_pipe import TrainablePipe
from thinc.api import Config

from .cfg import cfg_from_bytes, cfg_to_bytes
from .seal import seal, unseal

Self = TypeVar("Self", bound="SealedPipe")


class SealedPipe(TrainablePipe):
    """A component with settings (``cfg``), vocabulary and model.

    Bytes hold all settings. In a folder, settings that can be changed are in the pipeline's config,
    and ``spacy.load(config=...)`` can override them.
    """

    def get_cfg(self, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Everything to store except the weights. config: the component's stored section."""
        raise NotImplementedError

    def set_cfg(self, cfg: dict[str, Any]) -> None:
        """Load the stored settings. Raises ValueError if the config contradicts them."""
        raise NotImplementedError

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialize the component with a checksum."""
        serialize = {
            "cfg": lambda: cfg_to_bytes(self.get_cfg()),
            "settings": lambda: json.dumps(dict(self.cfg)).encode("utf8"),
            "vocab": lambda: self.vocab.to_bytes(exclude=exclude),
            "model": self.model.to_bytes,
        }
        return seal(util.to_bytes(serialize, exclude))

    def from_bytes(self: Self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> Self:
        """Load the component. Raises ValueError for truncated or changed data."""
        deserialize: dict[str, Callable[..., Any]] = {
            "cfg": lambda b: self.set_cfg(cfg_from_bytes(b, f"{self.name}/cfg")),
            "settings": lambda b: self.cfg.update(json.loads(b)),
            "vocab": lambda b: self.vocab.from_bytes(b, exclude=exclude),
            "model": self.load_model,
        }
        util.from_bytes(unseal(bytes_data, self.name), deserialize, exclude)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the component's folder, with checksums for model and settings."""
        serialize = {
            "cfg": lambda p: p.write_bytes(cfg_to_bytes(self.get_cfg(_config_beside(p)))),
            "vocab": lambda p: self.vocab.to_disk(p, exclude=exclude),
            "model": lambda p: p.write_bytes(seal(self.model.to_bytes())),
        }
        util.to_disk(path, serialize, exclude)

    def from_disk(self: Self, path: str | Path, *, exclude: Iterable[str] = ()) -> Self:
        """Load the component's folder. Raises ValueError for truncated or changed files."""
        deserialize: dict[str, Callable[..., Any]] = {
            "cfg": lambda p: self.set_cfg(cfg_from_bytes(p.read_bytes(), str(p))),
            "vocab": lambda p: self.vocab.from_disk(p, exclude=exclude),
            "model": lambda p: self.load_model(unseal(p.read_bytes(), str(p))),
        }
        util.from_disk(path, deserialize, exclude)
        return self

    def load_model(self, data: bytes) -> None:
        """Load weights. Raises ValueError if they don't fit the model."""
        try:
            self.model.from_bytes(data)
        except AttributeError:
            raise ValueError(Errors.E149) from None


def _config_beside(cfg: Path) -> Mapping[str, Any] | None:
    """A component's section in the config that its pipeline has written; None without one.

    cfg: the file in the component's folder.
    """
    config = cfg.parent.parent / "config.cfg"
    if not config.is_file():
        return None
    written = Config().from_disk(config, interpolate=False)
    return written.get("components", {}).get(cfg.parent.name)
