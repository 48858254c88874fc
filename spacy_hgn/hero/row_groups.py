"""Run sequences of similar length through the Hero together, to avoid padding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from spacy_transformers.data_classes import WordpieceBatch
from thinc.api import Model
from transformers.utils import ModelOutput

from ..backend.memory import give_back_freed, sparse_zeros
from ..backend.torch_shim import TorchShim


@dataclass(frozen=True)
class GroupLimits:
    """How to group rows on a type of device. Sizes count padded pieces."""

    smallest: int
    """A group smaller than this takes sequences of any length, to keep the device busy."""
    largest: int
    """The maximum size of a group in prediction, to bound the memory."""
    like: float = 0.8
    """In a larger group, sequences have at least this share of the longest one's length."""


ON_CPU = GroupLimits(smallest=512, largest=8192)
# On a GPU, each call takes some milliseconds to launch.
ON_GPU = GroupLimits(smallest=16_384, largest=65_536)


def run_in_groups(
    encoder: Model, pieces: WordpieceBatch, is_train: bool
) -> tuple[ModelOutput, Callable[[ModelOutput], Any]]:
    """Run the encoder over groups of rows, with the same result as over the whole batch.

    Returns the last hidden state as its output, and the backward function.
    *Shape of the last hidden state:* (rows, positions, width).
    """
    on_cpu = cast(TorchShim, encoder.shims[0]).device.type == "cpu"
    limits = ON_CPU if on_cpu else ON_GPU
    groups = group_rows(pieces.lengths, limits, is_train)
    if len(groups) == 1:
        return encoder(pieces, is_train)
    gives_back = on_cpu and not is_train and sum(pieces.lengths) > limits.largest
    hidden: torch.Tensor | None = None
    ways_back = []
    for rows in groups:
        output, backprop_group = encoder(take_rows(pieces, rows), is_train)
        part = output["last_hidden_state"].detach()
        if hidden is None:
            hidden = sparse_zeros((*pieces.input_ids.shape, part.shape[2]), part)
        rows = rows.to(part.device, non_blocking=True)
        hidden[rows, : part.shape[1]] = part
        if is_train:
            ways_back.append((rows, part.shape[1], backprop_group))
        elif gives_back:
            give_back_freed()

    def backprop(d_output: ModelOutput) -> None:
        (d_hidden,) = d_output.values()
        for rows, width, backprop_group in ways_back:
            backprop_group(ModelOutput(last_hidden_state=d_hidden[rows, :width]))

    return ModelOutput(last_hidden_state=hidden), backprop


def group_rows(
    lengths: Sequence[int], limits: GroupLimits, is_train: bool = False
) -> list[torch.Tensor]:
    """Divide rows, longest first, into groups of similar length.

    Groups of a single row, and groups in training, have no maximum size. Returns the rows of each
    group.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    groups: list[list[int]] = []
    for row in order:
        group = groups[-1] if groups else []
        longest = lengths[group[0]] if group else 0
        fits = is_train or longest * (len(group) + 1) <= limits.largest
        is_small = longest * len(group) < limits.smallest
        if group and fits and (is_small or lengths[row] >= limits.like * longest):
            group.append(row)
        else:
            groups.append([row])
    return [torch.tensor(group) for group in groups]


def take_rows(pieces: WordpieceBatch, rows: torch.Tensor) -> WordpieceBatch:
    """The batch of some rows, without positions after the longest of them."""
    chosen = rows.tolist()
    lengths = [pieces.lengths[row] for row in chosen]
    longest = max(lengths)

    def of_rows(array: Any) -> Any:
        return None if array is None else array[:, :longest][chosen]

    return WordpieceBatch(
        strings=[pieces.strings[row] for row in chosen],
        input_ids=of_rows(pieces.input_ids),
        attention_mask=of_rows(pieces.attention_mask),
        lengths=lengths,
        token_type_ids=of_rows(pieces.token_type_ids),
    )
