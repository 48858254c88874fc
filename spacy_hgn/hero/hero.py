"""The Hero: spacy-transformers' Transformer with exact alignment of pieces and tokens."""

import copy
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy
from spacy.tokens import Doc, Span
from spacy_transformers.data_classes import FullTransformerBatch, WordpieceBatch
from spacy_transformers.layers._util import replace_listener
from spacy_transformers.layers.transformer_model import TransformerModel, set_pytorch_transformer
from thinc.api import Model

from ..util.seal import seal, unseal
from .alignment import Alignment, align_docs
from .hero_batch import HeroBatch
from .hero_files import load_hero
from .hero_shim import HeroShim, forward_encoder
from .row_groups import run_in_groups
from .special_pieces import find_edges
from .word_pieces import PieceSpan, count_special, encode_spans, pad_batch

logger = logging.getLogger("spacy_hgn")

SpanGetter = Callable[[list[Doc]], list[list[Span]]]


class Hero(TransformerModel):
    """A pretrained Transformer encoder with exactly aligned vectors.

    It differs from spacy-transformers' model. A token gets only its own pieces, never a
    neighbour's. If spans overlap, its pieces come from the span in which it is furthest from a
    cut. A span with too many pieces is split. Sequences are padded on the right, there is no
    pooler, and weights are stored as safetensors.
    """

    def __init__(self, name: str, get_spans: SpanGetter, **settings: Any) -> None:
        """settings: those of ``HeroShim``."""
        encoder: Model = Model(
            "hf-pytorch",
            forward_encoder,
            shims=[HeroShim(**settings)],
            dims={"nI": None, "nO": None},
        )
        Model.__init__(
            self,
            "transformer",
            forward,
            init=init,
            layers=[encoder],
            dims={"nO": None},
            attrs={
                "get_spans": get_spans,
                "name": name,
                "set_transformer": set_pytorch_transformer,
                "has_transformer": False,
                "replace_listener": replace_listener,
                "replace_listener_cfg": replace_listener_cfg,
            },
        )
        self.logged: set[str] = set()

    @property
    def shim(self) -> HeroShim:
        return self.layers[0].shims[0]  # type: ignore[return-value]

    def copy(self) -> "Hero":
        """Copy the model with all settings and weights."""
        copied = Hero(self.attrs["name"], self.attrs["get_spans"], **self.shim.settings)
        self.give_weights(copied)
        return copied

    def give_weights(self, other: "Hero") -> None:
        """Copy the weights to another model with the same settings."""
        other.layers[0].shims[0] = self.shim.copy()
        other._dims = copy.deepcopy(self._dims)
        other._attrs = dict(self._attrs)

    def to_bytes(self) -> bytes:
        """Serialize the model with a checksum."""
        return seal(super().to_bytes())

    def from_bytes(self, bytes_data: bytes) -> "Hero":
        """Load the model. Raises ValueError for truncated or changed data, and for those of a Hero
        with another name."""
        expected = self.attrs["name"]
        super().from_bytes(unseal(bytes_data, "transformer model"))
        if (found := self.attrs["name"]) != expected:
            raise ValueError(
                f"The transformer was trained from {found!r}, but the config says name = "
                f"{expected!r}. A trained pipeline can't change its Hero: train a new pipeline."
            )
        return self


def init(model: Hero, X: list[Doc] | None = None, Y: Any = None) -> None:
    if not model.attrs["has_transformer"]:
        settings = model.shim.settings
        name = model.attrs["name"]
        hero = load_hero(name, settings["tokenizer_config"], settings["transformer_config"])
        model.attrs["set_transformer"](model, hero)


def forward(
    model: Hero, docs: list[Doc], is_train: bool
) -> tuple[FullTransformerBatch, Callable[[FullTransformerBatch], list[Doc]]]:
    spans, pieces, alignment = prepare_docs(model, docs, model.attrs["get_spans"](docs))
    if pieces is None or alignment is None:
        return FullTransformerBatch.empty(len(docs)), lambda d_batch: docs
    output, backprop_encoder = _encode_pieces(model, pieces, is_train)
    edges = find_edges(alignment, pieces.lengths, count_special(model.tokenizer))
    batch = HeroBatch.of_rows(spans, pieces, output, alignment, model, model.shim.step_size, edges)

    def backprop(d_batch: FullTransformerBatch) -> list[Doc]:
        backprop_encoder(d_batch.model_output)
        return docs

    return batch, backprop


def prepare_docs(
    model: Hero, docs: Sequence[Doc], spans: Sequence[Sequence[Span]]
) -> tuple[list[list[Span]], WordpieceBatch | None, Alignment | None]:
    """Tokenize texts into word pieces.

    spans: of each Doc, from ``get_spans``. Returns each Doc's spans, short enough for the Hero,
    their word pieces and the alignment with tokens; None without pieces.
    """
    parts = _encode_docs(model, docs, spans)
    rows = [part for doc_parts in parts for part in doc_parts]
    held = [[part.span for part in doc_parts] for doc_parts in parts]
    if not rows:
        return held, None, None
    alignment = align_docs(
        [len(doc) for doc in docs],
        [len(doc_parts) for doc_parts in parts],
        [row.span for row in rows],
        [row.of_tokens for row in rows],
        [len(row.ids) for row in rows],
    )
    _log_losses(model, docs, rows, alignment)
    return held, pad_batch(model.tokenizer, rows, alignment.row_width), alignment


def _encode_docs(
    model: Hero, docs: Sequence[Doc], spans: Sequence[Sequence[Span]]
) -> list[list[PieceSpan]]:
    """Each Doc's spans as sequences that are short enough for the Hero."""
    nested = [[span for span in of_doc if len(span)] for of_doc in spans]
    for doc, of_doc in zip(docs, nested):
        if len(doc) and not of_doc:
            raise ValueError(
                f"get_spans returned no span for a Doc of {len(doc)} tokens: {doc.text[:50]!r}. "
                "Expected spans that cover the text."
            )
    flat = [span for of_doc in nested for span in of_doc]
    if flat and not model.shim.is_loaded:
        raise ValueError(
            f"The Hero {model.attrs['name']!r} isn't loaded yet. Call nlp.initialize() before "
            "using the pipeline, or load a trained one."
        )
    encoded = iter(encode_spans(model.tokenizer, flat, model.shim.max_pieces) if flat else [])
    return [[part for _ in of_doc for part in next(encoded)] for of_doc in nested]


def _encode_pieces(model: Hero, pieces: WordpieceBatch, is_train: bool) -> tuple[Any, Callable]:
    encoder = model.layers[0]
    if model.shim.takes_groups(is_train):
        with model.shim.autocast():  # casts the weights once for all groups
            return run_in_groups(encoder, pieces, is_train)
    return encoder(pieces, is_train)


def _log_losses(
    model: Hero, docs: Sequence[Doc], rows: Sequence[PieceSpan], alignment: Alignment
) -> None:
    """Warn once per model about tokens the Hero can't represent, other than white space."""
    truncated = len(
        {
            (id(row.span.doc), row.span.start)
            for row in rows
            if row.truncated and not row.span[0].is_space
        }
    )
    blank = alignment.without_pieces
    of_docs = numpy.searchsorted(alignment.token_ends, blank, side="right") - 1
    places = blank - alignment.token_ends[of_docs]
    blanks = [docs[k][i] for k, i in zip(of_docs.tolist(), places.tolist())]
    silent = sum(not token.is_space for token in blanks)
    report = {
        f"token(s) have more word pieces than the Hero holds ({model.shim.max_pieces}) and are "
        "represented by their first ones.": truncated,
        "token(s) have no word piece (zero-width or control characters, or left out by "
        "get_spans) and are represented by zeros.": silent,
    }
    for message, count in report.items():
        if count and message not in model.logged:
            model.logged.add(message)
            logger.warning("%d %s This warning is shown once.", count, message)


def replace_listener_cfg(
    hero_config: dict[str, Any], listener_config: dict[str, Any]
) -> dict[str, Any]:
    """The config of a Hero inside a component, which replaces a listener."""
    config = {**hero_config, "@architectures": "spacy-hgn.Tok2VecTransformer.v1"}
    for key in ("pooling", "grad_factor"):
        if key in listener_config:
            config[key] = listener_config[key]
    return config
