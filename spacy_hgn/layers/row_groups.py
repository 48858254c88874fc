"""Sequences of like length go through the Hero together, so that little of it is padding."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from spacy_transformers.data_classes import WordpieceBatch
from thinc.api import Model
from transformers.utils import ModelOutput

from .memory import give_back_freed, sparse_zeros

# A sequence joins a group while it is at least this much of the group's longest ...
LIKE = 0.8
# ... or while the group is too small to keep the processor busy.
SMALLEST_GROUP = 512
# Padded pieces of a group in prediction: what the Hero keeps at a time, whatever the text.
LARGEST_GROUP = 8192


def run_in_groups(
    encoder: Model, pieces: WordpieceBatch, is_train: bool
) -> tuple[ModelOutput, Callable[[ModelOutput], None]]:
    """Run the encoder over groups of rows, as if over the whole batch.

    Returns its output, of which only the last hidden state is put together, and the way back.
    *Shape of the last hidden state:* (rows, places, width).
    """
    groups = group_rows(pieces.lengths, limit=None if is_train else LARGEST_GROUP)
    if len(groups) == 1:
        return encoder(pieces, is_train)
    is_long = sum(pieces.lengths) > LARGEST_GROUP
    hidden: torch.Tensor | None = None
    ways_back = []
    for rows in groups:
        output, backprop_group = encoder(_take(pieces, rows), is_train)
        part = output["last_hidden_state"].detach()
        if hidden is None:
            hidden = sparse_zeros((*pieces.input_ids.shape, part.shape[2]), part)
        hidden[rows, : part.shape[1]] = part
        if is_train:
            ways_back.append((rows, part.shape[1], backprop_group))
        elif is_long:
            give_back_freed()

    def backprop(d_output: ModelOutput) -> None:
        (d_hidden,) = d_output.values()
        for rows, width, backprop_group in ways_back:
            backprop_group(ModelOutput(last_hidden_state=d_hidden[rows, :width]))

    return ModelOutput(last_hidden_state=hidden), backprop


def group_rows(lengths: Sequence[int], limit: int | None) -> list[torch.Tensor]:
    """Cut rows, longest first, into groups of like length.

    limit: padded pieces that a group may have, unless it is a single row; None is no limit.
    Returns the rows of each group.
    """
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    groups: list[list[int]] = []
    for row in order:
        group = groups[-1] if groups else []
        longest = lengths[group[0]] if group else 0
        fits = limit is None or longest * (len(group) + 1) <= limit
        is_small = longest * len(group) < SMALLEST_GROUP
        if group and fits and (is_small or lengths[row] >= LIKE * longest):
            group.append(row)
        else:
            groups.append([row])
    return [torch.tensor(group) for group in groups]


def _take(pieces: WordpieceBatch, rows: torch.Tensor) -> WordpieceBatch:
    """The batch of some of the rows, without the places that none of them reaches."""
    chosen = rows.tolist()
    lengths = [pieces.lengths[row] for row in chosen]
    longest = max(lengths)

    def of_rows(array: Any) -> Any:
        return None if array is None else array[chosen, :longest]

    return WordpieceBatch(
        strings=[pieces.strings[row] for row in chosen],
        input_ids=of_rows(pieces.input_ids),
        attention_mask=of_rows(pieces.attention_mask),
        lengths=lengths,
        token_type_ids=of_rows(pieces.token_type_ids),
    )
