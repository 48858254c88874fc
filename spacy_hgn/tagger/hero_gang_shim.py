"""The shim with the torch module of Gang, fusion and classifier."""

from functools import cached_property
from typing import Any

import srsly
from thinc.api import get_torch_default_device

from ..backend.memory import limit_kept_kernels
from ..backend.torch_shim import (
    TorchShim,
    check_precision,
    weights_from_bytes,
    weights_to_bytes,
)
from .committee import Committee
from .hero_gang import HeroGang


class HeroGangShim(TorchShim):
    """Builds the module once the width of the vectors and the number of tags are known.

    They are stored with the settings and the weights, so that a pipeline can be loaded into a
    model that was never initialized.
    """

    def __init__(self, settings: dict[str, Any], *, is_tagger: bool, precision: str) -> None:
        """settings: from ``check_settings``. precision: of Gang and fusion, "float32",
        "bfloat16" or "auto"."""
        super().__init__(None, config=dict(settings))
        limit_kept_kernels()
        self.is_tagger = is_tagger
        self.sends_means = False
        """Whether the module sends back means over a batch's tokens, not sums."""
        self.precision = check_precision(precision)
        # The classifier computes in float32.
        self.has_precision = bool(settings["windows"] or settings["feed_forward"])

    @property
    def members(self) -> int:
        """The number of heads; 1 is no committee."""
        return self.cfg["members"]

    @cached_property
    def reads_edges(self) -> bool:
        """Whether windows include the Hero's special pieces around a text."""
        return self.cfg.get("edges", False)

    def build(self, width: int, tags: int | None) -> HeroGang | Committee:
        """Build the module with random weights."""
        self._model = self._make(width, tags).to(get_torch_default_device())
        self.step_size.clear()
        return self._model

    def finish_update(self, optimizer: Any) -> None:
        if self._model is not None:
            self._forget_other_sizes(optimizer)
            super().finish_update(optimizer)

    def _forget_other_sizes(self, optimizer: Any) -> None:
        """Have Thinc's Adam forget weights that were resized."""
        found = (getattr(optimizer, name, None) for name in ("mom1", "mom2", "averages"))
        if not (remembered := list(filter(None, found))):
            return  # AdamW stores nothing there
        for name, weights in self._model.named_parameters():
            key = (self.id, name)
            for arrays in remembered:
                if key in arrays and arrays[key].size != weights.numel():
                    del arrays[key]
                    optimizer.nr_update.pop(key, None)

    def to_bytes(self) -> bytes:
        sizes = ("width", "layers", "tags")
        message: dict[str, Any] = {"config": self.cfg, **dict.fromkeys((*sizes, "weights"))}
        if self._model is not None:
            message |= {size: getattr(self._model, size) for size in sizes}
            message["weights"] = weights_to_bytes(self._model)
        return srsly.msgpack_dumps(message)

    def from_bytes(self, bytes_data: bytes) -> "HeroGangShim":
        message = srsly.msgpack_loads(bytes_data)
        # Settings that pipelines stored by earlier releases may lack.
        younger = {
            "edges": False,
            "feed_forward": 0,
            "normalize": False,
            "head_dropout": False,
            "members": 1,
        }
        stored = {**younger, **message["config"]}
        for setting, value in self.cfg.items():
            if stored.get(setting) != value:
                raise ValueError(
                    f"The model was trained with {setting} = {stored.get(setting)!r}, but the "
                    f"config says {setting} = {value!r}."
                )
        if message["weights"] is not None:
            module = self._make(message["width"], message["tags"], message.get("layers", 1))
            weights_from_bytes(module, message["weights"], "hero_gang")
            self._model = module
            self.step_size.clear()
        return self

    def _make(
        self, width: int, tags: int | None, layers: int | None = None
    ) -> HeroGang | Committee:
        of_shim = ("edges", "members")
        settings = {name: value for name, value in self.cfg.items() if name not in of_shim}
        settings |= {"tags": tags if self.is_tagger else None, "layers": layers}
        heads = [HeroGang(width, **settings) for _ in range(self.members)]
        return heads[0] if self.members == 1 else Committee(heads)
