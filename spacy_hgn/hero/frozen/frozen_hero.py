"""A Hero that is never trained. It reads each text once and returns vectors of its layers."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from weakref import ref

import numpy
import torch
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import FullTransformerBatch, TransformerData, WordpieceBatch
from thinc.api import torch2xp
from thinc.types import Ragged
from torch import Tensor
from transformers.utils import ModelOutput

from ...backend.torch_shim import resolve_precision
from ...util.lists import ends_of, split
from ...util.settings import one_of
from ..hero import Hero, SpanGetter, init, prepare_docs
from .fingerprint import fingerprint, reading_of
from .kept_vectors import KeptVectors
from .read_layers import read_layers

LAYERS = ("last", "all")
POOLINGS = ("first", "mean")
LISTENING = ("pooling", "grad_factor")
"""Settings of a listener that other components need."""


@dataclass
class LayerData(TransformerData):
    """A Doc's token vectors. For other components, each token is one piece, in the highest of the
    layers."""

    layers: Tensor = field(default_factory=lambda: torch.empty(0, 1, 0), repr=False, compare=False)
    """In bfloat16. *Shape:* (tokens, layers, width)"""
    _hero: "ref[FrozenHero] | None" = field(default=None, repr=False, compare=False)

    @property
    def hero(self) -> "FrozenHero | None":
        """The Hero that computed them; None if it no longer exists."""
        return None if self._hero is None else self._hero()

    def __reduce__(self) -> tuple[type, tuple]:
        return TransformerData, (self.wordpieces, self.model_output, self.align)


class LayerBatch(FullTransformerBatch):
    """The vectors of a batch of Docs, without gradients."""

    def unsplit_by_doc(self, arrays: Any) -> FullTransformerBatch:
        """Gradients from other listeners, which are ignored."""
        return self


class FrozenHero(Hero):
    """A pretrained Transformer encoder that isn't trained.

    In training, it keeps the vectors of texts it has read. All vectors are bfloat16, kept or not,
    so that a text always gets the same ones.
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
        """layers: "last", "all", or numbers: 0 is the embeddings, -1 is the last layer. pooling:
        "first" or "mean" of a token's pieces. keep: maximum gigabytes of vectors. kept_in: a folder
        with a subfolder for each Hero and setting, or None. settings: those of ``HeroShim``.

        Raises ValueError for invalid values."""
        super().__init__(name, get_spans, **settings)
        self._func = forward
        self.attrs["replace_listener_cfg"] = replace_listener_cfg
        self.init = init_frozen
        self.own_settings: dict[str, Any] = {
            "layers": _check_layers(layers),
            "pooling": one_of(POOLINGS, "pooling", pooling),
            "keep": _check_keep(keep),
            "kept_in": _check_folder(kept_in),
        }
        self.is_learning = False
        """Whether a training has begun. It reads the same texts several times, those of dev too."""
        self.learnt: set[str] = set()
        """The keys of the texts in updates."""
        self.predicted = 0
        """The number of texts kept in predictions."""
        self.fingerprint: str | None = None
        self._kept: KeptVectors | None = None

    def copy(self) -> "FrozenHero":
        """Copy the model with all settings and weights, without kept vectors."""
        name, get_spans = self.attrs["name"], self.attrs["get_spans"]
        copied = FrozenHero(name, get_spans, **self.own_settings, **self.shim.settings)
        self.give_weights(copied)
        return copied

    def to_bytes(self) -> bytes:
        """Serialize the model with a checksum. Kept vectors are written to their folder, if any."""
        if self._kept is not None:
            self._kept.write()
        return super().to_bytes()

    def from_bytes(self, bytes_data: bytes) -> "FrozenHero":
        """Load the model. Raises ValueError for truncated or changed data."""
        super().from_bytes(bytes_data)
        self.forget()
        return self

    def forget(self) -> None:
        """Forget vectors of other weights."""
        self.is_learning, self.fingerprint, self._kept = False, None, None
        self.learnt, self.predicted = set(), 0

    @property
    def kept(self) -> KeptVectors:
        """The kept vectors for these weights and settings. Raises ValueError for a bad folder."""
        if self._kept is None:
            folder = self.own_settings["kept_in"]
            path = None if folder is None else Path(folder).expanduser() / self._identify()
            self._kept = KeptVectors(self.own_settings["keep"], path)
        return self._kept

    def keep(self, key: str, layers: Tensor, is_train: bool) -> None:
        """Keep the layers of a text for the rest of the training.

        A loaded pipeline that is updated may be in a training, whose dev texts are worth keeping,
        or not. It keeps as many predicted texts as it learns from.
        """
        if is_train or self.is_learning or self.predicted < len(self.learnt):
            self.kept.put(key, layers)
            self.predicted += not is_train

    def identify_weights(self) -> str:
        """The ``fingerprint`` of the weights. Raises ValueError before they are loaded."""
        if self.fingerprint is None:
            if not self.shim.is_loaded:
                raise ValueError(
                    f"The frozen Hero {self.attrs['name']!r} has no weights yet. Call "
                    "nlp.initialize(), or take a trained pipeline's transformer with source."
                )
            self.fingerprint = fingerprint(self.shim._hfmodel)
        return self.fingerprint

    def layer_numbers(self) -> list[int]:
        """The numbers of the layers to return, lowest first. Raises ValueError for a layer that the
        Hero doesn't have, and for duplicates."""
        last = self.shim._hfmodel.transformer.config.num_hidden_layers
        layers = self.own_settings["layers"]
        if isinstance(layers, str):
            return [last] if layers == "last" else list(range(last + 1))
        numbers = sorted({n % (last + 1) for n in layers if -last - 1 <= n <= last})
        if len(numbers) < len(layers):
            raise ValueError(
                f"layers: the Hero {self.attrs['name']!r} has layers 0, the embeddings, to {last}, "
                f"the last, which is -1 too; expected each once, got {layers}."
            )
        return numbers

    def _identify(self) -> str:
        """The name of the folder for its vectors: a hash of everything that affects them."""
        shim = self.shim
        settings = (
            self.identify_weights(),
            reading_of(shim._hfmodel),
            self.layer_numbers(),
            self.own_settings["pooling"],
            shim.max_pieces,
            resolve_precision(shim.precision, shim.device),
            shim.settings["mixed_precision"],
        )
        return hashlib.blake2b(repr(settings).encode(), digest_size=16).hexdigest()


@contextmanager
def keeping_vectors(nlp: Language) -> Iterator[None]:
    """In this context, a pipeline's frozen Heroes keep vectors, as in a training. At its end, they
    are written to their folder, if any."""
    models = (getattr(pipe, "model", None) for _, pipe in nlp.components)
    heroes = [model for model in models if isinstance(model, FrozenHero)]
    before = [hero.is_learning for hero in heroes]
    for hero in heroes:
        hero.is_learning = True
    try:
        yield
    finally:
        for hero, was_learning in zip(heroes, before):
            if hero._kept is not None:
                hero._kept.write()
            hero.is_learning = was_learning


def replace_listener_cfg(
    hero_config: dict[str, Any], listener_config: dict[str, Any]
) -> dict[str, Any]:
    """The config of a frozen Hero inside a component, which replaces a listener."""
    taken = {key: listener_config[key] for key in LISTENING if key in listener_config}
    return {"@architectures": "spacy-hgn.Tok2VecFrozenTransformer.v1", **taken, "hero": hero_config}


def init_frozen(model: FrozenHero, X: list[Doc] | None = None, Y: Any = None) -> None:
    """Load the Hero and expect a training. Raises ValueError for layers that it doesn't have, and
    for a bad folder."""
    init(model, X, Y)
    model.layer_numbers()
    model.is_learning = True
    _ = model.kept  # opens the folder


def forward(
    model: FrozenHero, docs: list[Doc], is_train: bool
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], list[Doc]]]:
    """Vectors of Docs. The backward function does nothing."""
    spans = list(map(list, model.attrs["get_spans"](docs)))
    if is_train or model.is_learning or model.learnt:
        of_docs = _read_kept(model, docs, spans, is_train)
    else:
        of_docs = _read(model, docs, spans)
    empty = FullTransformerBatch.empty(len(docs))
    datas = _as_datas(model, docs, of_docs)
    batch = LayerBatch(empty.spans, empty.wordpieces, empty.model_output, empty.align, datas)
    return batch, lambda d_batch: docs


def _read_kept(
    model: FrozenHero, docs: Sequence[Doc], spans: Sequence[Sequence[Span]], is_train: bool
) -> list[Tensor | None]:
    """The layers of Docs on the host, kept ones if possible."""
    keys = list(map(_key, docs, spans))
    if is_train:
        model.learnt.update(keys)
    found = {key: model.kept.get(key) for key in keys}
    new = {key: number for number, key in enumerate(keys) if found[key] is None}
    read = _read(model, [docs[n] for n in new.values()], [spans[n] for n in new.values()])
    for key, layers in zip(new, read):
        if layers is not None:
            found[key] = on_host = layers.cpu()
            model.keep(key, on_host, is_train)
    return [found[key] for key in keys]


def _key(doc: Doc, spans: Sequence[Span]) -> str:
    """A hash of what a Doc's vectors depend on: words, spaces and spans."""
    words = [(token.text, token.whitespace_) for token in doc]
    cuts = [(span.start, span.end) for span in spans]
    return hashlib.blake2b(repr((words, cuts)).encode(), digest_size=20).hexdigest()


def _read(
    model: FrozenHero, docs: Sequence[Doc], spans: Sequence[Sequence[Span]]
) -> list[Tensor | None]:
    """The layers of each Doc; None for a Doc without tokens."""
    _, pieces, alignment = prepare_docs(model, docs, spans)
    if pieces is None or alignment is None:
        return [None] * len(docs)
    numbers, pooling = model.layer_numbers(), model.own_settings["pooling"]
    tokens = read_layers(model.shim, numbers, pooling, pieces, alignment)
    ends = pairwise(alignment.token_ends.tolist())
    return [tokens[start:end].clone() if end > start else None for start, end in ends]


def _as_datas(
    model: FrozenHero, docs: Sequence[Doc], of_docs: Sequence[Tensor | None]
) -> list[TransformerData]:
    """The data for each Doc. The last layer is on the device, for other listeners."""
    datas = [TransformerData.empty() for _ in docs]
    filled = [number for number, layers in enumerate(of_docs) if layers is not None]
    if not filled:
        return datas
    last = torch.cat([of_docs[number][:, -1] for number in filled])  # type: ignore[index]
    lengths = [len(docs[number]) for number in filled]
    arrays = split(torch2xp(last.to(model.shim.device).float()), ends_of(lengths))  # type: ignore[arg-type]
    for number, length, array in zip(filled, lengths, arrays):
        pieces = WordpieceBatch.zeros([length])
        pieces.strings = [[token.text for token in docs[number]]]
        output = ModelOutput(last_hidden_state=array[None])
        align = Ragged(numpy.arange(length, dtype="i"), numpy.ones(length, dtype="i"))  # type: ignore[arg-type]
        datas[number] = LayerData(pieces, output, align, of_docs[number], ref(model))  # type: ignore[arg-type]
    return datas


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


def _check_folder(folder: Any) -> str | None:
    if isinstance(folder, Path):
        return str(folder)
    if folder is None or (isinstance(folder, str) and folder.strip()):
        return folder
    raise ValueError(f"kept_in: expected a folder, or null for memory, got {folder!r}.")


def _check_keep(keep: float) -> float:
    if not isinstance(keep, int | float) or isinstance(keep, bool) or not 0 <= keep < float("inf"):
        raise ValueError(f"keep: expected gigabytes of 0 or more, got {keep!r}.")
    return keep
