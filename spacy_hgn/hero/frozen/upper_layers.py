"""Train only the last layers of a Hero. The lower ones read each sequence once in a training."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy import ndarray
from torch import Tensor, nn

from .kept_vectors import KeptVectors

KEEP = 8.0
"""Maximum gigabytes of vectors; with width 768, enough for 5 million word pieces."""

TOLERANCE = 0.05
"""Maximum relative difference from the whole encoder's vectors, because of 16 bits."""

NO_STACK = (
    "trained_layers: {name} isn't a plain stack of layers, as BERT, RoBERTa, MPNet and DistilBERT "
    "are. Train all layers (null), or none: spacy-hgn.FrozenTransformer.v1."
)


class UpperLayers:
    """Runs the last layers of an encoder on kept vectors of the layer below them.

    The vectors are bfloat16 and computed without dropout.
    """

    def __init__(self, encoder: nn.Module, trained: int) -> None:
        """encoder: weights below its last ``trained`` layers get no gradient from now on. Raises
        ValueError if it has fewer layers, or no list of layers."""
        self.encoder = encoder
        self.stack = find_stack(encoder)
        if trained > len(self.stack):
            raise ValueError(
                f"trained_layers: expected a number up to {len(self.stack)}, the layers of the "
                f"Hero, or null for all that it has; got {trained}."
            )
        self.upper = list(self.stack)[len(self.stack) - trained :]
        self.kept = KeptVectors(KEEP)
        self._answer_like: Any = None
        learning = {weights for layer in self.upper for weights in layer.parameters()}
        for weights in encoder.parameters():
            weights.requires_grad_(weights in learning)

    @contextmanager
    def over_kept(self, inputs: dict[str, Tensor]) -> Iterator[None]:
        """In this context, the encoder runs only its last layers.

        inputs: its keyword arguments, of *shape* (rows, positions) each. The first time, raises
        ValueError if the last layers don't reproduce the whole encoder's output.
        """
        is_first = self._answer_like is None
        below = self._read_below(inputs)
        if is_first:
            self._check(inputs, below)
        with self._standing_on(below):
            yield

    @contextmanager
    def _standing_on(self, below: Tensor) -> Iterator[None]:
        """Replace the lower layers by their vectors."""
        whole = self.stack._modules
        layers = [Hand(below, self._answer_like), *self.upper]
        self.stack._modules = {str(number): layer for number, layer in enumerate(layers)}
        try:
            yield
        finally:
            self.stack._modules = whole

    def _read_below(self, inputs: dict[str, Tensor]) -> Tensor:
        """The input of the first trained layer. *Shape:* (rows, positions, width)"""
        ids = inputs["input_ids"]
        lengths = inputs["attention_mask"].sum(dim=1).int().tolist()
        keys = [_key(row[:length]) for row, length in zip(ids.cpu().numpy(), lengths)]
        found = {key: vectors for key in keys if (vectors := self.kept.get(key)) is not None}
        missing = [row for row, key in enumerate(keys) if key not in found]
        if missing:
            new = self._run_below({name: each[missing] for name, each in inputs.items()})
            for row, vectors in zip(missing, new):
                found[keys[row]] = vectors[: lengths[row]].clone()
                self.kept.put(keys[row], found[keys[row]])
        width = found[keys[0]].shape[1]
        below = torch.zeros(*ids.shape, width, device=ids.device)
        for row, (key, length) in enumerate(zip(keys, lengths)):
            below[row, :length] = found[key].to(ids.device)
        return below

    def _run_below(self, inputs: dict[str, Tensor]) -> Tensor:
        """Compute it with the lower layers. *Shape:* (rows, positions, width), bfloat16"""

        def stop(layer: nn.Module, args: tuple, kwargs: dict[str, Any], answer: Any) -> None:
            raise Reached(args[0] if args else kwargs["hidden_states"], answer)

        handle = self.upper[0].register_forward_hook(stop, with_kwargs=True)
        try:
            with torch.no_grad(), evaluating(self.encoder):
                self.encoder(**inputs)
        except Reached as reached:
            if reached.hidden.shape[:2] == inputs["input_ids"].shape:
                self._answer_like = reached.answer
                return reached.hidden.to(torch.bfloat16)
        finally:
            handle.remove()
        raise ValueError(NO_STACK.format(name=type(self.encoder).__name__))

    def _check(self, inputs: dict[str, Tensor], below: Tensor) -> None:
        """Raise ValueError if the last layers don't reproduce the whole encoder's output."""
        mask = inputs["attention_mask"][:, :, None]
        with torch.no_grad(), evaluating(self.encoder):
            whole = self.encoder(**inputs).last_hidden_state * mask
            with self._standing_on(below):
                upper = self.encoder(**inputs).last_hidden_state * mask
        if (whole - upper).norm() > TOLERANCE * whole.norm():
            raise ValueError(NO_STACK.format(name=type(self.encoder).__name__))


class Hand(nn.Module):
    """A layer that returns kept vectors."""

    def __init__(self, hidden: Tensor, like: Any) -> None:
        """like: the output of a layer of the encoder, a tensor or a tuple with one."""
        super().__init__()
        self.hidden = hidden
        self.like = like

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if torch.is_tensor(self.like):
            return self.hidden
        return tuple(self.hidden if torch.is_tensor(each) else None for each in self.like)


class Reached(Exception):
    """Stops the encoder at the first trained layer. It isn't an error."""

    def __init__(self, hidden: Tensor, answer: Any) -> None:
        self.hidden = hidden
        self.answer = answer


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """In this context, the module has no dropout."""
    was_training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(was_training)


def find_stack(encoder: nn.Module) -> nn.ModuleList:
    """The list of an encoder's layers. Raises ValueError if there is none."""
    config: Any = encoder.config
    layers = config.num_hidden_layers
    for part in encoder.modules():
        if isinstance(part, nn.ModuleList) and len(part) == layers:
            return part
    raise ValueError(NO_STACK.format(name=type(encoder).__name__))


def _key(ids: ndarray) -> str:
    return hashlib.blake2b(ids.tobytes(), digest_size=16).hexdigest()


def check_trained_layers(trained: int | None) -> int | None:
    """Return the setting, or raise ValueError unless it is a number of layers or None."""
    if trained is not None and (type(trained) is not int or trained < 1):
        raise ValueError(
            "trained_layers: expected a whole number of 1 or more, of the Hero's last layers, or "
            f"null for all; got {trained!r}. spacy-hgn.FrozenTransformer.v1 trains no layers."
        )
    return trained
