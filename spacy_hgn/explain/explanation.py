"""Explain a text's entities: weights of windows and Hero, tags, scores with moved boundaries."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import numpy
import torch
from spacy.tokens import Doc
from thinc.api import Model

from ..entities.posteriors import Posteriors
from ..fusion import FUSIONS
from ..tagger.committee import Committee
from ..tagger.flat import ask_module, shim_of
from ..tagger.hero_gang import has_weights
from ..tags.decoding import Entity, SpanConstraints
from ..tags.tag_set import TagSet

HERO = "hero"

NO_WINDOWS = "There are no windows: the component uses the Hero alone."


@dataclass(frozen=True)
class ExplainedEntity:
    """An entity with its score, and the scores with one boundary moved by one token.

    start, end: its tokens, up to end. score: its probability, as in ``ent._.score``.
    starts_earlier ... ends_later: the probability of the same label with one boundary moved. None
    if no entity is possible there: outside the text, in another component's entity, beginning or
    ending with white space, across the start of a sentence, or without any token.
    """

    start: int
    end: int
    label: str
    score: float
    starts_earlier: float | None
    starts_later: float | None
    ends_earlier: float | None
    ends_later: float | None


@dataclass(frozen=True)
class Explanation:
    """The component's view of a text.

    words, spaces: the tokens, and whether a space follows. fusion: its name, or None without
    windows. sources: "window 5", ..., "hero". tags: "O", "B-PERSON", ...
    weights: the weight of each source in a token's vector, or None for a fusion without weights.
        See ``note``. *Shape:* (tokens, sources)
    shares: the share of the windows: the norm of what they add to a token's vector, divided by the
        norm of that vector. It exceeds 1 where windows and Hero oppose each other.
        *Shape:* (tokens,)
    probabilities: of each tag, at the component's temperature, like the scores.
        *Shape:* (tokens, tags)
    entities: the predicted ones, in order.
    layers: the share of each of the Hero's layers, the same for all texts. Layer 0 is the
        embeddings, and the shares sum to 1. None if the Hero returns a single layer.
    """

    words: tuple[str, ...]
    spaces: tuple[bool, ...]
    fusion: str | None
    sources: tuple[str, ...]
    tags: tuple[str, ...]
    weights: numpy.ndarray | None
    shares: numpy.ndarray
    probabilities: numpy.ndarray
    entities: tuple[ExplainedEntity, ...]
    layers: tuple[tuple[int, float], ...] | None = None

    @property
    def text(self) -> str:
        """The Doc's text."""
        return "".join(word + " " * space for word, space in zip(self.words, self.spaces))

    @property
    def attended(self) -> tuple[str, ...]:
        """The sources with attention weights: all, or for dot all but the Hero."""
        if self.fusion == "dot":
            return self.sources[:-1]
        return self.sources if self.weights is not None and self.fusion else ()

    @property
    def note(self) -> str:
        """A description of the weights, and the mean share of the windows."""
        if self.fusion is None:
            return NO_WINDOWS
        note: str = FUSIONS[self.fusion].note  # type: ignore[attr-defined]
        if not len(self.shares):
            return note
        share = f"The windows' part of a token's vector has {self.shares.mean():.1%} of its norm."
        return f"{note} {share}"

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain values, with arrays as lists of rows."""
        return {
            **{name: list(getattr(self, name)) for name in ("words", "spaces", "sources", "tags")},
            "fusion": self.fusion,
            "note": self.note,
            "weights": None if self.weights is None else self.weights.tolist(),
            "shares": self.shares.tolist(),
            "probabilities": self.probabilities.tolist(),
            "entities": list(map(asdict, self.entities)),
            "layers": None if self.layers is None else list(map(list, self.layers)),
        }

    def to_json(self, indent: int | None = None) -> str:
        """``to_dict`` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def _repr_html_(self) -> str:
        """The page of ``spacy hgn explain`` in a frame, for notebooks."""
        from .page import render_page

        page = escape(render_page(self, "Explanation"))
        style = "width: 100%; height: 40rem; border: 0"
        return f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="{style}"></iframe>'


def explain(
    doc: Doc,
    model: Model,
    probabilities: numpy.ndarray,
    found: Sequence[Entity],
    constraints: SpanConstraints,
    tag_set: TagSet,
    layers: Sequence[int] | None,
) -> Explanation:
    """Explain the entities found in a Doc.

    model: the tagger. probabilities: of each tag, calibrated. *Shape:* (tokens, tags)
    found: the entities. constraints: of the Doc before the component's prediction. layers: the
    numbers of the layers that a frozen Hero returns; None is all.
    """
    entities: list[ExplainedEntity] = []
    if found:
        posteriors = Posteriors(probabilities, constraints, tag_set)
        entities = [_explain(each, posteriors, constraints, tag_set.labels) for each in found]
    fusion = shim_of(model.get_ref("flat")).cfg.get("fusion")
    return Explanation(
        words=tuple(token.text for token in doc),
        spaces=tuple(bool(token.whitespace_) for token in doc),
        fusion=fusion,
        sources=(*(f"window {width}" for width in model.attrs["windows"]), HERO),
        tags=tuple(tag_set.tags),
        weights=_weights(model, fusion, doc),
        shares=_shares(model, fusion, doc),
        probabilities=probabilities,
        entities=tuple(entities),
        layers=_layers(model, layers),
    )


def may_be(entity: Entity, constraints: SpanConstraints) -> bool:
    """Whether an entity is possible with these boundaries."""
    start, end, _ = entity
    if not 0 <= start < end <= len(constraints.free):
        return False
    is_free, is_joined = (
        constraints.free[start:end].all(),
        constraints.joined[start + 1 : end].all(),
    )
    return bool(is_free and is_joined and constraints.solid[start] and constraints.solid[end - 1])


def _explain(
    entity: Entity, posteriors: Posteriors, constraints: SpanConstraints, labels: Sequence[str]
) -> ExplainedEntity:
    start, end, label = entity

    def probability(start: int, end: int) -> float | None:
        moved = (start, end, label)
        return posteriors.of(moved) if may_be(moved, constraints) else None

    return ExplainedEntity(
        start,
        end,
        labels[label],
        score=posteriors.of(entity),
        starts_earlier=probability(start - 1, end),
        starts_later=probability(start + 1, end),
        ends_earlier=probability(start, end - 1),
        ends_later=probability(start, end + 1),
    )


def _weights(model: Model, fusion: str | None, doc: Doc) -> numpy.ndarray | None:
    """The weights of a tagger's sources. *Shape:* (tokens, sources)"""
    if fusion is None:  # only the Hero
        return numpy.ones((len(doc), 1), dtype="float32")
    if not has_weights(fusion):
        return None
    sources = len(model.attrs["windows"]) + 1
    return model.ops.to_numpy(ask_module(model.get_ref("flat"), [doc], "weights", sources).dataXd)


def _shares(model: Model, fusion: str | None, doc: Doc) -> numpy.ndarray:
    """The share of the windows in each token's vector. *Shape:* (tokens,)"""
    if fusion is None:
        return numpy.zeros(len(doc), dtype="float32")
    found = ask_module(model.get_ref("flat"), [doc], "shares", 1)
    return model.ops.to_numpy(found.dataXd)[:, 0]


def _layers(model: Model, numbers: Sequence[int] | None) -> tuple[tuple[int, float], ...] | None:
    """The Hero's layers with their shares; for a committee, the mean over its members."""
    module = shim_of(model.get_ref("flat"))._model
    heads = module.heads if isinstance(module, Committee) else [module]
    if not hasattr(heads[0], "mix"):
        return None
    shares = torch.stack([head.mix.shares for head in heads]).mean(dim=0).tolist()
    return tuple(zip(range(len(shares)) if numbers is None else numbers, shares))
