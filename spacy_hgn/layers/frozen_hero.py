"""A Hero that is never trained: it reads each text once, and hands out vectors of its layers."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.types import Ragged
from torch import Tensor
from transformers.utils import ModelOutput

from .alignment import Alignment
from .fingerprint import fingerprint
from .hero import Hero, SpanGetter, init, prepare_docs
from .hero_shim import HeroShim, to_device
from .kept_vectors import KeptVectors
from .precision import resolve_precision
from .row_groups import ON_CPU, ON_GPU, group_rows, take_rows

LAYERS = ("last", "all")
POOLINGS = ("first", "mean")


@dataclass
class LayerData(TransformerData):
    """A Doc's token vectors. To others, each token is one piece, with its last layer's vector."""

    layers: Tensor = field(default_factory=lambda: torch.empty(0, 1, 0), repr=False, compare=False)
    """In bfloat16. *Shape:* (tokens, layers, width)"""

    def __reduce__(self) -> tuple[type, tuple]:
        return TransformerData, (self.wordpieces, self.model_output, self.align)


class LayerBatch(FullTransformerBatch):
    """The vectors of a batch of Docs, of which nothing is learnt."""

    def unsplit_by_doc(self, arrays: Any) -> FullTransformerBatch:
        """Gradients of others that listen: they end here."""
        return self


class FrozenHero(Hero):
    """A pretrained Transformer encoder that stays as it is.

    In training it keeps the vectors of the texts that it has read. They are bfloat16 whether they
    were kept or not, so that a text gets the same ones always.
    """

    def __init__(
        self,
        name: str,
        get_spans: SpanGetter,
        *,
        layers: str | Sequence[int],
        pooling: str,
        keep: float,
        kept_in: str | None,
        **settings: Any,
    ) -> None:
        """layers: "last", "all", or numbers: 0 are the embeddings, -1 is the last. pooling:
        "first" or "mean" of a token's pieces. keep, kept_in: as for ``KeptVectors``. settings:
        those of ``HeroShim``."""
        super().__init__(name, get_spans, **settings)
        self._func = forward
        self.init = init_frozen
        self.own_settings: dict[str, Any] = {
            "layers": _check_layers(layers),
            "pooling": _check_pooling(pooling),
            "keep": _check_keep(keep),
            "kept_in": kept_in,
        }
        self.is_learning = False
        """Whether a training goes on, in which texts come back."""
        self.fingerprint: str | None = None
        self._kept: KeptVectors | None = None

    def copy(self) -> "FrozenHero":
        """Copy the model with all of its settings and weights, without what it has kept."""
        name, get_spans = self.attrs["name"], self.attrs["get_spans"]
        copied = FrozenHero(name, get_spans, **self.own_settings, **self.shim.settings)
        self.give_weights(copied)
        return copied

    def to_bytes(self) -> bytes:
        """Serialize the model, under a checksum. What is kept goes to its folder, if it has one."""
        if self._kept is not None:
            self._kept.write()
        return super().to_bytes()

    def from_bytes(self, bytes_data: bytes) -> "FrozenHero":
        """Load the model. Raises ValueError where the data were cut short or changed."""
        super().from_bytes(bytes_data)
        self.forget()
        return self

    def forget(self) -> None:
        """Forget what was kept of other weights."""
        self.is_learning, self.fingerprint, self._kept = False, None, None

    @property
    def kept(self) -> KeptVectors:
        """What was kept under these weights and settings. Raises ValueError for a bad folder."""
        if self._kept is None:
            folder = self.own_settings["kept_in"]
            path = None if folder is None else Path(folder) / self._identify()
            self._kept = KeptVectors(self.own_settings["keep"], path)
        return self._kept

    def identify_weights(self) -> str:
        """The ``fingerprint`` of the weights."""
        if self.fingerprint is None:
            self.fingerprint = fingerprint(self.shim._hfmodel)
        return self.fingerprint

    def layer_numbers(self) -> list[int]:
        """Of the layers that are handed out. Raises ValueError for one that the Hero hasn't."""
        last = self.shim._hfmodel.transformer.config.num_hidden_layers
        layers = self.own_settings["layers"]
        if isinstance(layers, str):
            return [last] if layers == "last" else list(range(last + 1))
        if missing := [n for n in layers if not -last - 1 <= n <= last]:
            raise ValueError(
                f"layers: the Hero {self.attrs['name']!r} has layers 0, the embeddings, to {last}, "
                f"the last; got {', '.join(map(str, missing))}."
            )
        return [n % (last + 1) for n in layers]

    def _identify(self) -> str:
        """By what the folder of its vectors is called."""
        shim = self.shim
        settings = (
            self.identify_weights(),
            self.layer_numbers(),
            self.own_settings["pooling"],
            shim.max_pieces,
            resolve_precision(shim.precision, shim.device),
            sorted(shim.settings["tokenizer_config"].items()),
        )
        return hashlib.blake2b(repr(settings).encode(), digest_size=16).hexdigest()


@contextmanager
def keeping_vectors(nlp: Language) -> Iterator[None]:
    """In this context, a pipeline's frozen Heroes keep vectors of what they read, as in a training;
    at its end, those for a folder are in it."""
    models = (getattr(pipe, "model", None) for _, pipe in nlp.components)
    heroes = [model for model in models if isinstance(model, FrozenHero)]
    before = [hero.is_learning for hero in heroes]
    for hero in heroes:
        hero.is_learning = True
    try:
        yield
    finally:
        for hero, was_learning in zip(heroes, before):
            hero.kept.write()
            hero.is_learning = was_learning


def init_frozen(model: FrozenHero, X: list[Doc] | None = None, Y: Any = None) -> None:
    """Load the Hero; from here on, a training is expected."""
    init(model, X, Y)
    model.layer_numbers()
    model.is_learning = True


def forward(
    model: FrozenHero, docs: list[Doc], is_train: bool
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], list[Doc]]]:
    """Vectors of Docs; the way back does nothing."""
    model.is_learning |= is_train
    of_docs = _read_kept(model, docs) if model.is_learning else list(_read(model, docs))
    datas = [_as_data(doc, layers) for doc, layers in zip(docs, of_docs)]
    empty = FullTransformerBatch.empty(len(docs))
    batch = LayerBatch(empty.spans, empty.wordpieces, empty.model_output, empty.align, datas)
    return batch, lambda d_batch: docs


def _read_kept(model: FrozenHero, docs: Sequence[Doc]) -> list[Tensor | None]:
    """The layers of Docs, those met before as they were kept."""
    keys = [_key(doc, spans) for doc, spans in zip(docs, model.attrs["get_spans"](docs))]
    found = {key: model.kept.get(key) for key in keys}
    new = {key: doc for key, doc in zip(keys, docs) if found[key] is None}
    for key, layers in zip(new, _read(model, list(new.values()))):
        found[key] = layers
        if layers is not None:
            model.kept.put(key, layers)
    return [found[key] for key in keys]


def _key(doc: Doc, spans: Sequence[Any]) -> str:
    """What a Doc's vectors depend on: its words and blanks, and how it is cut."""
    words = [(token.text, token.whitespace_) for token in doc]
    cuts = [(span.start, span.end) for span in spans]
    return hashlib.blake2b(repr((words, cuts)).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _read(model: FrozenHero, docs: Sequence[Doc]) -> Iterator[Tensor | None]:
    """The layers of each Doc, None for one without tokens."""
    _, pieces, alignment = prepare_docs(model, docs) if docs else (None, None, None)
    if pieces is None or alignment is None:
        yield from [None] * len(docs)
        return
    tokens = _pool(_encode(model, pieces), alignment, model.own_settings["pooling"])
    for start, end in zip(alignment.token_ends.tolist(), alignment.token_ends[1:].tolist()):
        yield tokens[start:end].clone() if end > start else None


def _encode(model: FrozenHero, pieces: WordpieceBatch) -> Tensor:
    """All layers of all word pieces in bfloat16, zeros where there is padding.

    *Shape:* (rows * places, layers, width)
    """
    shim: HeroShim = model.shim
    numbers = model.layer_numbers()
    rows, places = pieces.input_ids.shape
    limits = ON_CPU if shim.device.type == "cpu" else ON_GPU
    table: Tensor | None = None
    with shim.predicting() as hero:
        for group in group_rows(pieces.lengths, limits):
            inputs = to_device(take_rows(pieces, group), shim.device)
            output = hero(**inputs, output_hidden_states=True)
            # The last is behind a norm that the last hidden state may be before.
            layers = [*output["hidden_states"][:-1], output["last_hidden_state"]]
            part = torch.stack([layers[n] for n in numbers], dim=2).to(torch.bfloat16)
            part *= inputs["attention_mask"][:, :, None, None].to(torch.bfloat16)
            if table is None:
                table = part.new_zeros(rows, places, *part.shape[2:])
            table[group.to(part.device), : part.shape[1]] = part
    assert table is not None
    return table.flatten(0, 1)


def _pool(table: Tensor, alignment: Alignment, pooling: str) -> Tensor:
    """A vector for each token and layer. *Shape:* (tokens, layers, width)"""
    counts = numpy.diff(alignment.piece_ends)
    if pooling == "first":
        return table[torch.from_numpy(alignment.places[alignment.piece_ends[:-1]]).to(table.device)]
    owner = torch.from_numpy(numpy.repeat(numpy.arange(len(counts)), counts)).to(table.device)
    sums = table.new_zeros(len(counts), *table.shape[1:], dtype=torch.float32)
    sums.index_add_(0, owner, table[torch.from_numpy(alignment.places).to(table.device)].float())
    return (sums / torch.from_numpy(counts).to(sums)[:, None, None]).to(table.dtype)


def _as_data(doc: Doc, layers: Tensor | None) -> TransformerData:
    if layers is None:
        return TransformerData.empty()
    words = [token.text for token in doc]
    ones = numpy.ones(len(doc), dtype="i")
    pieces = WordpieceBatch.zeros([len(doc)])
    pieces.strings = [words]
    last = layers[:, -1].float().cpu().numpy()[None]
    align = Ragged(numpy.arange(len(doc), dtype="i"), ones)  # type: ignore[arg-type]
    return LayerData(pieces, ModelOutput(last_hidden_state=last), align, layers)


def _check_layers(layers: Any) -> str | list[int]:
    if isinstance(layers, str) and layers in LAYERS:
        return layers
    is_list = isinstance(layers, list | tuple) and len(layers) > 0
    if is_list and all(type(n) is int for n in layers) and len(set(layers)) == len(layers):
        return list(layers)
    raise ValueError(
        f"layers: expected {' or '.join(map(repr, LAYERS))}, or a list of numbers, each once, such "
        f"as [0, 6, 12] (0 are the embeddings), got {layers!r}."
    )


def _check_pooling(pooling: str) -> str:
    if pooling not in POOLINGS:
        raise ValueError(
            f"Unknown pooling: expected one of {', '.join(POOLINGS)}, got {pooling!r}."
        )
    return pooling


def _check_keep(keep: float) -> float:
    if not isinstance(keep, int | float) or isinstance(keep, bool) or not 0 <= keep < float("inf"):
        raise ValueError(f"keep: expected gigabytes of 0 or more, got {keep!r}.")
    return keep
