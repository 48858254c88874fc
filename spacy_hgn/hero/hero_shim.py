"""The shim with the Hero's torch module and tokenizer."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import numpy
import srsly
import torch
from spacy_transformers.data_classes import HFObjects, WordpieceBatch
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import Model
from thinc.types import ArgsKwargs
from torch import Tensor
from torch.nn.functional import pad
from transformers.utils import ModelOutput

from ..backend.memory import limit_kept_kernels
from ..backend.torch_shim import TorchShim, check_precision
from .embedding_gradients import EmbeddingGradients
from .frozen.upper_layers import UpperLayers, check_trained_layers
from .hero_files import hero_from_bytes, hero_to_bytes, piece_limit


class HeroShim(TorchShim, HFShim):
    """spacy-transformers' shim, with a precision, and weights without pickle."""

    part = "hero"

    def __init__(
        self,
        *,
        tokenizer_config: dict[str, Any],
        transformer_config: dict[str, Any],
        mixed_precision: bool,
        grad_scaler_config: dict[str, Any],
        precision: str,
        trained_layers: int | None = None,
    ) -> None:
        """trained_layers: the number of last layers to train; None is all."""
        self.settings: dict[str, Any] = {
            "tokenizer_config": dict(tokenizer_config),
            "transformer_config": dict(transformer_config),
            "mixed_precision": mixed_precision,
            "grad_scaler_config": dict(grad_scaler_config),
            "precision": check_precision(precision),
            "trained_layers": check_trained_layers(trained_layers),
        }
        limit_kept_kernels()
        self._upper: UpperLayers | None = None
        self.precision = precision
        self._embeddings = EmbeddingGradients()
        hero = HFObjects(None, None, None, dict(tokenizer_config), dict(transformer_config))
        HFShim.__init__(
            self,
            hero,
            mixed_precision=mixed_precision,
            grad_scaler_config=dict(grad_scaler_config),
        )

    @property
    def is_loaded(self) -> bool:
        """Whether tokenizer and weights are loaded."""
        return self._hfmodel.transformer is not None

    @property
    def max_pieces(self) -> int:
        """The maximum length of a sequence, including special pieces."""
        return piece_limit(self._hfmodel)

    def takes_groups(self, is_train: bool) -> bool:
        """Whether a batch can be run in parts.

        Not if other outputs than the last hidden state are needed, and not with a gradient scaler,
        which expects one backward pass per step.
        """
        config = self._hfmodel.transformer.config
        last_alone = not (config.output_hidden_states or config.output_attentions)
        return last_alone and not (is_train and self._mixed_precision)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable]:
        """Run the Hero in training mode. Returns its output and the backward function."""
        self._embeddings.make_sparse(self._model)
        with self.autocast(), self._over_kept(inputs):
            output, backprop = super().begin_update(inputs)

        def backprop_into_tables(grads: ArgsKwargs) -> Any:
            # Not earlier: nlp.update(sgd=...) consumes the Hero's gradients in between.
            self._embeddings.lay_tables(self._model)
            return backprop(grads)

        return output, backprop_into_tables

    def _over_kept(self, inputs: ArgsKwargs) -> AbstractContextManager:
        """The context that runs only the last layers, if only they are trained."""
        trained = self.settings["trained_layers"]
        if trained is None:
            return nullcontext()
        if self._upper is None:
            self._upper = UpperLayers(self._model, trained)
        return self._upper.over_kept(inputs.kwargs)

    def copy(self) -> "HeroShim":
        """Copy the Hero, without gradients and kept vectors."""
        upper, self._upper = self._upper, None
        copied = cast(HeroShim, super().copy())
        self._upper = upper
        copied._embeddings = EmbeddingGradients()
        return copied

    def to_bytes(self) -> bytes:
        hero = hero_to_bytes(self._hfmodel) if self.is_loaded else b""
        return srsly.msgpack_dumps({"hero": hero})

    def from_bytes(self, bytes_data: bytes) -> "HeroShim":
        hero = srsly.msgpack_loads(bytes_data)["hero"]
        if hero:
            settings = self.settings
            self._hfmodel = hero_from_bytes(
                hero, settings["tokenizer_config"], settings["transformer_config"]
            )
            self._model = self._hfmodel.transformer
            self._upper = None
            self.step_size.clear()
        return self


def forward_encoder(
    model: Model, pieces: WordpieceBatch, is_train: bool
) -> tuple[ModelOutput, Callable[[ModelOutput], list]]:
    """Run the torch module over word pieces.

    Returns its output and the backward function. The last hidden states are in float32, with zeros
    for padding. *Shape of the last hidden states:* (rows, positions, width).
    """
    shim = cast(HeroShim, model.shims[0])
    inputs = to_device(pieces, shim.device)
    output, backprop_module = shim(ArgsKwargs(args=(), kwargs=inputs), is_train)
    hidden, mask = output["last_hidden_state"], inputs["attention_mask"]
    unreached = pieces.input_ids.shape[1] - hidden.shape[1]
    if unreached:
        hidden, mask = pad(hidden, (0, 0, 0, unreached)), pad(mask, (0, unreached))
    output["last_hidden_state"] = hidden * mask.unsqueeze(-1)  # float32, like the mask

    def backprop(d_output: ModelOutput) -> list:
        grads = {"grad_tensors": tuple(d_output.values())}
        backprop_module(ArgsKwargs(args=((output["last_hidden_state"],),), kwargs=grads))
        return []

    return output, backprop


def to_device(pieces: WordpieceBatch, device: torch.device) -> dict[str, Tensor]:
    """The keyword arguments of the torch module for word pieces, in one copy to the device.

    Positions after the longest sequence are left out: there may be one more than the Hero allows.
    """
    longest = max(pieces.lengths)
    arrays: dict[str, Any] = {
        "input_ids": pieces.input_ids,
        "attention_mask": pieces.attention_mask,
        "token_type_ids": pieces.token_type_ids,
    }
    given = {name: array[:, :longest] for name, array in arrays.items() if array is not None}
    stacked = torch.from_numpy(numpy.stack([*given.values()], dtype="int64", casting="unsafe"))
    if device.type == "cuda":
        stacked = stacked.pin_memory()
    tensors = dict(zip(given, stacked.to(device, non_blocking=True)))
    return {**tensors, "attention_mask": tensors["attention_mask"].float()}
