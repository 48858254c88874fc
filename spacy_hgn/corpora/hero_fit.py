"""What texts are to a Hero: too long, foreign, or too much for a step or for the memory."""

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
"""Where Linux tells how much memory a container may have."""


@dataclass(frozen=True)
class Lengths:
    """Texts of a part beside what a Hero holds.

    over_long: Docs with more word pieces than the Hero holds at once; it reads them in
    overlapping pieces. tokens_beyond: their tokens that it would miss if it cut them off.
    tokens_cut: tokens with more pieces than it holds, all but the first of which it does miss.
    pieces: of all texts. unknown: those of them that stand for letters that the Hero doesn't know.
    """

    over_long: int
    tokens_beyond: int
    tokens_cut: int
    pieces: int
    unknown: int


@dataclass(frozen=True)
class HeroFit:
    """A Hero, the word pieces that it holds at once, and each part's texts beside that."""

    hero: str
    limit: int
    parts: dict[str, Lengths]


@dataclass(frozen=True)
class Step:
    """The largest step of a training: its texts, their word pieces, and the bytes that it takes.

    memory: the bytes there are, of a GPU if there is one.
    """

    texts: int
    pieces: int
    bytes: int
    memory: int

    def describe(self) -> str:
        """What it takes, in a sentence."""
        return (
            f"The largest step of training has {self.texts:,} texts of {self.pieces:,} word "
            f"pieces: it takes about {self.bytes / 1024**3:,.1f} GB of {self.memory / 1024**3:,.1f}"
        )


@dataclass(frozen=True)
class Kept:
    """The token vectors of a frozen Hero that a training would keep, were there room.

    tokens: of all texts that it reads more than once. layers, width: of the vectors, two bytes a
    number. limit: gigabytes there is room for. folder: where; None is memory.
    """

    tokens: int
    layers: int
    width: int
    limit: float
    folder: str | None

    @property
    def gigabytes(self) -> float:
        """What they need."""
        return self.tokens * self.layers * self.width * 2 / 1024**3

    def describe(self) -> str:
        """What they need, and why, in a sentence."""
        place = "in memory" if self.folder is None else f"in {self.folder}"
        return (
            f"The Hero is frozen: training keeps {self.gigabytes:,.2f} GB of token vectors {place} "
            f"({self.tokens:,} tokens x {self.layers} layers x {self.width:,} x 2 bytes)"
        )


def measure(parts: Mapping[str, Iterable[Doc]], name: str, hero: Any = None) -> HeroFit:
    """Measure the texts of each part by a Hero, named as in the config, or as it is loaded.

    Raises ValueError where there is no such Hero.
    """
    from spacy_hgn.hero.hero_files import load_hero, piece_limit  # torch comes with it

    loaded = load_hero(name, {}, {}) if hero is None else hero
    limit = piece_limit(loaded)
    lengths = {part: count_over_long(docs, loaded.tokenizer, limit) for part, docs in parts.items()}
    return HeroFit(name, limit, lengths)


def count_over_long(docs: Iterable[Doc], tokenizer: Any, limit: int) -> Lengths:
    """Count what has more word pieces than ``limit``, special ones included."""
    room = limit - tokenizer.num_special_tokens_to_add()
    wholes = _encode(docs, tokenizer)
    over_long = [whole for whole in wholes if len(whole.ids) > limit]
    return Lengths(
        over_long=len(over_long),
        tokens_beyond=sum(_count_beyond(whole.token_pieces, room) for whole in over_long),
        tokens_cut=sum(len(pieces) > room for whole in over_long for pieces in whole.token_pieces),
        pieces=sum(len(whole.ids) for whole in wholes),
        unknown=sum(list(whole.ids).count(tokenizer.unk_token_id) for whole in wholes),
    )


def find_largest_step(
    examples: Sequence[Example], training: Mapping[str, Any], hero: Any, limit: int
) -> Step:
    """The step that takes most, if the longest texts meet: estimated as a Transformer's layers.

    Of each word piece 17 vectors a layer are kept for the way back, in float32, and three rows of
    attention for each head; of each weight its gradient and the optimizer's two averages.
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
    """What a training keeps of the parts that it reads, if the loaded Hero is a frozen one.

    Raises ValueError for layers that it hasn't.
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
    """The word pieces of each text that has tokens."""
    from spacy_hgn.hero.word_pieces import encode_spans  # torch comes with it

    spans = [doc[:] for doc in docs if len(doc)]
    return [whole for [whole] in encode_spans(tokenizer, spans, sys.maxsize)] if spans else []


def _count_beyond(token_pieces: Sequence[Sequence[int]], room: int) -> int:
    used = beyond = 0
    for pieces in token_pieces:
        beyond += bool(pieces) and used >= room
        used += len(pieces)
    return beyond


def _find_memory() -> int:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    if LIMIT_OF_GROUP.is_file() and (limit := LIMIT_OF_GROUP.read_text().strip()).isdigit():
        sizes.append(int(limit))
    return min(sizes)
