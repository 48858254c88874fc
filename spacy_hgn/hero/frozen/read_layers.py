"""Read the layers of a Hero: one vector per token and layer, in bfloat16."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy
import torch
from spacy_transformers.data_classes import WordpieceBatch
from torch import Tensor

from ..alignment import Alignment
from ..hero_shim import HeroShim, to_device
from ..row_groups import ON_CPU, ON_GPU, group_rows, take_rows


def read_layers(
    shim: HeroShim,
    numbers: Sequence[int],
    pooling: str,
    pieces: WordpieceBatch,
    alignment: Alignment,
) -> Tensor:
    """Run the Hero. Returns a vector per token and layer, zeros for a token without pieces.

    numbers: of the layers; 0 is the embeddings. pooling: "first" or "mean" of a token's pieces.
    *Shape:* (tokens, layers, width)
    """
    places, owner = _find_pieces(alignment, pooling)
    rows, columns = numpy.divmod(places, alignment.row_width)
    is_piece = columns < numpy.asarray(pieces.lengths)[rows]
    rows, columns, owner = rows[is_piece], columns[is_piece], owner[is_piece]
    config: Any = shim._hfmodel.transformer.config
    shape = len(alignment.piece_ends) - 1, len(numbers), config.hidden_size
    tokens = torch.zeros(shape, dtype=torch.bfloat16, device=shim.device)
    for group, layers in _run(shim, numbers, config.num_hidden_layers, pieces):
        at = numpy.full(len(pieces.lengths), -1)
        at[group] = numpy.arange(len(group))
        chosen = at[rows] >= 0
        _pool(layers, at[rows[chosen]], columns[chosen], owner[chosen], tokens)
    return tokens


def _find_pieces(alignment: Alignment, pooling: str) -> tuple[numpy.ndarray, numpy.ndarray]:
    """The positions of the pieces to read, and their tokens. *Shape of both:* (pieces,)"""
    counts = numpy.diff(alignment.piece_ends)
    if pooling == "first":
        return alignment.places[alignment.piece_ends[:-1]], numpy.arange(len(counts))
    return alignment.places, numpy.repeat(numpy.arange(len(counts)), counts)


def _run(
    shim: HeroShim, numbers: Sequence[int], last: int, pieces: WordpieceBatch
) -> Iterator[tuple[numpy.ndarray, list[Tensor]]]:
    """Groups of rows with the layers of their pieces.

    *Shape of each layer:* (rows, places, width)
    """
    limits = ON_CPU if shim.device.type == "cpu" else ON_GPU
    for group in group_rows(pieces.lengths, limits):
        inputs = to_device(take_rows(pieces, group), shim.device)
        with shim.predicting() as hero:
            output = hero(**inputs, output_hidden_states=list(numbers) != [last])
        # Not the last of the hidden states, because a norm may follow it.
        found = {last: output["last_hidden_state"]}
        for number in set(numbers) - {last}:
            found[number] = output["hidden_states"][number]
        yield group.numpy(), [found[number] for number in numbers]


def _pool(
    layers: Sequence[Tensor],
    rows: numpy.ndarray,
    columns: numpy.ndarray,
    owner: numpy.ndarray,
    tokens: Tensor,
) -> None:
    """Write the mean of each token's pieces into the table of tokens.

    layers: *Shape of each:* (rows, positions, width). rows, columns, owner: the place of each piece
    in them, and its token, *shape* (pieces,). tokens: *shape* (tokens, layers, width)
    """
    unique = numpy.unique(owner, return_inverse=True, return_counts=True)
    own, of_piece, counts, of_rows, of_columns = (
        torch.from_numpy(each).to(tokens.device) for each in (*unique, rows, columns)
    )
    for number, layer in enumerate(layers):
        found = layer[of_rows, of_columns].float()
        if len(own) < len(found):
            sums = found.new_zeros(len(own), found.shape[1])
            found = sums.index_add_(0, of_piece, found) / counts[:, None]
        tokens[own, number] = found.to(tokens.dtype)
