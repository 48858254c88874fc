"""The shim that holds the Hero's torch module and tokenizer."""

from collections.abc import Callable
from typing import Any, cast

import srsly
from spacy_transformers.data_classes import HFObjects, WordpieceBatch
from spacy_transformers.layers.hf_shim import HFShim
from thinc.api import Model, xp2torch
from thinc.types import ArgsKwargs
from torch.nn.functional import pad
from transformers.utils import ModelOutput

from .embeddings import EmbeddingGradients
from .hero_files import hero_from_bytes, hero_to_bytes, piece_limit
from .precision import check_precision
from .torch_shim import TorchShim


class HeroShim(TorchShim, HFShim):
    """spacy-transformers' shim, with a precision of its own and weights without pickle."""

    part = "hero"

    def __init__(
        self,
        *,
        tokenizer_config: dict[str, Any],
        transformer_config: dict[str, Any],
        mixed_precision: bool,
        grad_scaler_config: dict[str, Any],
        precision: str,
    ) -> None:
        self.settings: dict[str, Any] = {
            "tokenizer_config": dict(tokenizer_config),
            "transformer_config": dict(transformer_config),
            "mixed_precision": mixed_precision,
            "grad_scaler_config": dict(grad_scaler_config),
            "precision": check_precision(precision),
        }
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
        """Whether there are a tokenizer and weights."""
        return self._hfmodel.transformer is not None

    @property
    def max_pieces(self) -> int:
        """The longest sequence, special pieces included, that the Hero can hold."""
        return piece_limit(self._hfmodel)

    def takes_groups(self, is_train: bool) -> bool:
        """Whether a batch may be run in parts.

        Not where more than the last hidden state is wanted of it, nor where a gradient scaler
        takes each way back for a whole step.
        """
        config = self._hfmodel.transformer.config
        last_alone = not (config.output_hidden_states or config.output_attentions)
        return last_alone and not (is_train and self._mixed_precision)

    def begin_update(self, inputs: ArgsKwargs) -> tuple[Any, Callable]:
        """Run the Hero in training mode. Returns its output and the way back."""
        self._embeddings.make_sparse(self._model)
        output, backprop = super().begin_update(inputs)

        def backprop_into_tables(grads: ArgsKwargs) -> Any:
            # Not before: nlp.update(sgd=...) uses up the Hero's gradients in between.
            self._embeddings.lay_tables(self._model)
            return backprop(grads)

        return output, backprop_into_tables

    def copy(self) -> "HeroShim":
        """Copy the Hero, without its gradients."""
        copied = cast(HeroShim, super().copy())
        copied._embeddings = EmbeddingGradients()
        return copied

    def to_bytes(self) -> bytes:
        hero = hero_to_bytes(self._hfmodel) if self.is_loaded else b""
        return srsly.msgpack_dumps({"hero": hero})

    def from_bytes(self, bytes_data: bytes) -> "HeroShim":
        hero = srsly.msgpack_loads(bytes_data)["hero"]
        if hero:
            self._hfmodel = hero_from_bytes(hero)
            self._model = self._hfmodel.transformer
        return self


def convert_inputs(
    model: Model, pieces: WordpieceBatch, is_train: bool
) -> tuple[ArgsKwargs, Callable]:
    """Word pieces as the keyword arguments of the torch module.

    Places that no sequence reaches stay out: there may be one more than the Hero holds.
    """
    device = cast(HeroShim, model.shims[0]).device
    longest = max(pieces.lengths)
    kwargs = {
        "input_ids": xp2torch(pieces.input_ids[:, :longest], device=device),
        "attention_mask": xp2torch(pieces.attention_mask[:, :longest], device=device),
    }
    if pieces.token_type_ids is not None:
        type_ids = pieces.token_type_ids[:, :longest]
        kwargs["token_type_ids"] = xp2torch(type_ids, device=device)
    return ArgsKwargs(args=(), kwargs=kwargs), lambda d_inputs: []


def convert_outputs(
    model: Model, inputs_outputs: tuple[WordpieceBatch, ModelOutput], is_train: bool
) -> tuple[ModelOutput, Callable]:
    """The last hidden states in float32, zero where there is padding."""
    pieces, output = inputs_outputs
    hidden = output["last_hidden_state"]
    mask = xp2torch(pieces.attention_mask, device=hidden.device)
    hidden = pad(hidden.float(), (0, 0, 0, mask.shape[1] - hidden.shape[1]))
    output["last_hidden_state"] = hidden * mask.unsqueeze(-1)

    def backprop(d_output: ModelOutput) -> ArgsKwargs:
        grads = {"grad_tensors": tuple(d_output.values())}
        return ArgsKwargs(args=((output["last_hidden_state"],),), kwargs=grads)

    return output, backprop
