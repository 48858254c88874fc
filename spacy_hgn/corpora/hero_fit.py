"""Whether texts suit a Hero: their length, unknown letters, and memory."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

LIMIT_OF_GROUP = Path("/sys/fs/cgroup/memory.max")
"""The memory limit of a container on Linux."""


@dataclass(frozen=True)
class Lengths:
    """Lengths of a part's texts, compared to a Hero's limit of word pieces.

    over_long: Docs with more word pieces than the limit; the Hero reads them in overlapping parts.
    tokens_cut: tokens with more pieces than the limit, whose other pieces the Hero doesn't read.
    pieces: the word pieces of all texts. unknown: pieces for letters that the Hero doesn't know.
    """

    over_long: int
    tokens_cut: int
    pieces: int
    unknown: int


@dataclass(frozen=True)
class HeroFit:
    """A Hero, its limit of word pieces, and the lengths of each part's texts."""

    hero: str
    limit: int
    parts: dict[str, Lengths]


@dataclass(frozen=True)
class Step:
    """The largest step of a training: its texts, their word pieces, and the bytes it needs.

    memory: available bytes, of the GPU if there is one.
    """

    texts: int
    pieces: int
    bytes: int
    memory: int

    def describe(self) -> str:
        """Its memory, in a sentence."""
        return (
            f"The largest step of training has {self.texts:,} texts of {self.pieces:,} word "
            f"pieces: it takes about {self.bytes / 1024**3:,.1f} GB of {self.memory / 1024**3:,.1f}"
        )


@dataclass(frozen=True)
class Kept:
    """The token vectors of a frozen Hero that a training keeps, if there is enough room.

    tokens: of all texts that are read more than once. layers, width: of the vectors, with two
    bytes per number. limit: the maximum in gigabytes. folder: where; None is memory.
    """

    tokens: int
    layers: int
    width: int
    limit: float
    folder: str | None

    @property
    def gigabytes(self) -> float:
        """Their size."""
        return self.tokens * self.layers * self.width * 2 / 1024**3

    def describe(self) -> str:
        """Their size and how it is computed, in a sentence."""
        place = "in memory" if self.folder is None else f"in {self.folder}"
        return (
            f"The Hero is frozen: training keeps {self.gigabytes:,.2f} GB of token vectors {place} "
            f"({self.tokens:,} tokens x {self.layers} layers x {self.width:,} x 2 bytes)"
        )


def measure_fit(parts: Mapping[str, Iterable[Doc]], name: str, hero: Any = None) -> HeroFit:
    """Measure the texts of each part with a Hero, given by its name or already loaded.

    Raises ValueError if the Hero doesn't exist.
    """
    from spacy_hgn.hero.hero_files import load_hero, piece_limit  # torch comes with it

    loaded = load_hero(name, {}, {}) if hero is None else hero
    limit = piece_limit(loaded)
    lengths = {part: count_over_long(docs, loaded.tokenizer, limit) for part, docs in parts.items()}
    return HeroFit(name, limit, lengths)


def count_over_long(docs: Iterable[Doc], tokenizer: Any, limit: int) -> Lengths:
    """Count texts and tokens with more word pieces than ``limit``, including special ones."""
    room = limit - tokenizer.num_special_tokens_to_add()
    wholes = _encode(docs, tokenizer)
    over_long = [whole for whole in wholes if len(whole.ids) > limit]
    return Lengths(
        over_long=len(over_long),
        tokens_cut=sum(len(pieces) > room for whole in over_long for pieces in whole.token_pieces),
        pieces=sum(len(whole.ids) for whole in wholes),
        unknown=sum(list(whole.ids).count(tokenizer.unk_token_id) for whole in wholes),
    )


def find_largest_step(
    examples: Sequence[Example], training: Mapping[str, Any], hero: Any, limit: int
) -> Step:
    """The step that needs most memory, if the longest texts are in one batch. An estimate.

    For the backward pass, a Transformer stores 17 vectors per word piece and layer in float32, and
    three rows of attention per head. Each weight has a gradient and the optimizer's two averages.
    """
    from spacy.training.loop import subdivide_batch

    config = hero.transformer.config
    filled = [eg for eg in examples if len(eg.predicted)]
    wholes = _encode((eg.predicted for eg in filled), hero.tokenizer)
    pieces_of = {id(eg): len(whole.ids) for eg, whole in zip(filled, wholes)}
    batches = training["batcher"](sorted(filled, key=lambda eg: -pieces_of[id(eg)]))
    parts = chain.from_iterable(
        subdivide_batch(batch, training["accumulate_gradient"]) for batch in batches
    )

    def count_bytes(batch: Iterable[Example]) -> int:
        numbers = 0
        for n in (pieces_of[id(eg)] for eg in batch):
            attended = 3 * config.num_attention_heads * min(n, limit)
            numbers += n * config.num_hidden_layers * (17 * config.hidden_size + attended)
        return 4 * numbers

    largest = max(map(list, parts), key=count_bytes, default=[])
    weights = sum(weight.numel() for weight in hero.transformer.parameters())
    pieces = sum(pieces_of[id(eg)] for eg in largest)
    return Step(len(largest), pieces, count_bytes(largest) + 16 * weights, _find_memory())


def count_kept(node: Model, parts: Iterable[Sequence[Example]]) -> Kept | None:
    """The vectors that a training keeps; None if the Hero isn't frozen.

    Raises ValueError for layers that the Hero doesn't have.
    """
    from spacy_hgn.hero.frozen.frozen_hero import FrozenHero  # torch comes with it

    if not isinstance(node, FrozenHero):
        return None
    return Kept(
        tokens=sum(len(eg.predicted) for part in parts for eg in part),
        layers=len(node.layer_numbers()),
        width=node.get_dim("nO"),
        limit=node.own_settings["keep"],
        folder=node.own_settings["kept_in"],
    )


def _encode(docs: Iterable[Doc], tokenizer: Any) -> list[Any]:
    """The word pieces of each text with tokens."""
    from spacy_hgn.hero.word_pieces import encode_spans  # torch comes with it

    spans = [doc[:] for doc in docs if len(doc)]
    return [whole for [whole] in encode_spans(tokenizer, spans, sys.maxsize)] if spans else []


def _find_memory() -> int:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    if LIMIT_OF_GROUP.is_file() and (limit := LIMIT_OF_GROUP.read_text().strip()).isdigit():
        sizes.append(int(limit))
    return min(sizes)
