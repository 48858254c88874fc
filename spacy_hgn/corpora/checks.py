"""Checks of the corpora before a training."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from spacy.cli.debug_data import BLANK_MODEL_MIN_THRESHOLD, NEW_LABEL_THRESHOLD
from spacy.training import Example

from spacy_hgn.tags.tag_set import TagSet, check_label
from spacy_hgn.training.incorrect_spans import incorrect_spans
from spacy_hgn.training.unlearnable import UnlearnableEntity, unlearnable

from .hero_fit import HeroFit, Kept, Step
from .stats import Counts, Overlap, count, find_gaps

MUCH = 0.1
"""If at least this share of the entities can't be learnt, it is an error."""

UNKNOWN = 0.05
"""If more than this share of the word pieces is unknown, there is a warning."""


@dataclass(frozen=True)
class Part:
    """Counts of a part, for its annotation and for the pipeline's tokens.

    misaligned_tokens: tokens, except white space, that don't match one token of the annotation.
    spans: the number of entities and incorrect spans. contradictions: incorrect spans that are
    also entities.
    """

    counts: Counts
    texts: int
    misaligned_tokens: int
    spans: int
    unlearnable: list[UnlearnableEntity]
    contradictions: list[str]


@dataclass(frozen=True)
class Finding:
    """A problem. An error makes a training fail or its result meaningless. examples: some cases."""

    level: Literal["error", "warning"]
    check: str
    message: str
    examples: list[str] = field(default_factory=list)


def examine(
    examples: Sequence[Example], labels: Sequence[str] | None, incorrect_spans_key: str | None
) -> Part:
    """Examine the Examples of a part.

    labels: the entity types that the component has tags for; None is all.
    """
    references = [example.reference for example in examples]
    keys = [] if incorrect_spans_key is None else [incorrect_spans_key]
    negative = sum(len(doc.spans.get(key, [])) for doc in references for key in keys)
    counts = count(references)
    return Part(
        counts=counts,
        texts=len(examples),
        misaligned_tokens=sum(map(_count_misaligned, examples)),
        spans=counts.entities + negative,
        unlearnable=[
            entity
            for example in examples
            for entity in unlearnable(example, labels, incorrect_spans_key)
        ],
        contradictions=[text for key in keys for text in _find_contradictions(examples, key)],
    )


def find_all(
    parts: Mapping[str, Part],
    overlaps: Iterable[Overlap],
    fit: HeroFit | None,
    step: Step | None,
    kept: Kept | None,
) -> Iterator[Finding]:
    """All findings. fit, step, kept: None where it isn't known."""
    yield from _check_data(parts)
    yield from _check_labels(parts)
    yield from _check_entities(parts)
    for overlap in overlaps:
        if overlap.sentences:
            message = (
                f"{' and '.join(overlap.parts)} share {overlap.sentences:,} sentences, of which "
                f"{overlap.conflicts:,} are annotated differently"
            )
            yield Finding("warning", "overlap", message)
    if fit is not None:
        yield from _check_lengths(fit)
    if step is not None and step.bytes > step.memory:
        message = f"{step.describe()} GB. Set fewer texts or tokens per step in training.batcher"
        yield Finding("warning", "step", message)
    if kept is not None and kept.gigabytes > kept.limit:
        message = (
            f"train and dev have {kept.gigabytes:,.2f} GB of token vectors, but keep is "
            f"{kept.limit:g}: the Hero reads the rest again in each epoch. Raise "
            "components.transformer.model.keep, or use fewer layers"
        )
        yield Finding("warning", "kept", message)


def _check_data(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Parts without texts, without entities, or without entities that can be learnt."""
    for name, part in parts.items():
        if not part.counts.tokens:
            yield Finding("error", "data", f"{name} has no texts")
        elif not part.counts.entities:
            yield Finding("error", "data", f"{name} has no entities")
        elif len(part.unlearnable) >= part.spans:
            yield Finding("error", "data", f"{name} has no entities that can be learnt")
    n_texts = parts["train"].texts
    if 0 < n_texts < BLANK_MODEL_MIN_THRESHOLD:
        few = f"train has {n_texts:,} texts; spaCy recommends {BLANK_MODEL_MIN_THRESHOLD} or more"
        yield Finding("warning", "data", few)


def _check_labels(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Labels in train that tags can't represent, rare ones, and those that a part lacks."""
    types = parts["train"].counts.types
    for label in types:
        try:
            check_label(label)
        except ValueError as error:
            yield Finding("error", "labels", str(error))
    rare = [f"{label}: {n:,}" for label, n in types.items() if n <= NEW_LABEL_THRESHOLD]
    if rare:
        message = f"train has no more than {NEW_LABEL_THRESHOLD} entities of {len(rare):,} labels"
        yield Finding("warning", "labels", message, rare)
    for gap in find_gaps({name: part.counts for name, part in parts.items()}):
        message = f"{gap.part} lacks labels that {gap.other} has"
        yield Finding("warning", "parts", message, gap.describe())


def _check_entities(parts: Mapping[str, Part]) -> Iterator[Finding]:
    """Entities that tags of the pipeline's tokens can't represent, contradictions, and entities
    across an annotated start of a sentence."""
    for name, part in parts.items():
        for reason, n in Counter(entity.reason for entity in part.unlearnable).most_common():
            message = (
                f"{name}: {n:,} of {part.spans:,} entities can't be learnt or predicted: "
                f"each {reason}"
            )
            texts = [str(entity) for entity in part.unlearnable if entity.reason == reason]
            level: Literal["error", "warning"] = "error" if n >= MUCH * part.spans else "warning"
            yield Finding(level, "entities", message, texts)
        if part.contradictions:
            message = f"{name}: {len(part.contradictions):,} texts contradict themselves"
            yield Finding("error", "entities", message, part.contradictions)
        if part.counts.crossing:
            message = (
                f"{name}: {part.counts.crossing:,} entities cross the start of a sentence: "
                "after a component that sets sentences they can't be learnt or predicted"
            )
            yield Finding("warning", "entities", message)


def _check_lengths(fit: HeroFit) -> Iterator[Finding]:
    """Texts and tokens that are too long for the Hero, or have letters that it doesn't know."""
    for name, lengths in fit.parts.items():
        if lengths.over_long:
            message = (
                f"{name}: {lengths.over_long:,} texts have more than {fit.limit:,} word pieces, "
                "and are read in parts"
            )
            yield Finding("warning", "length", message)
        if lengths.tokens_cut:
            message = (
                f"{name}: {lengths.tokens_cut:,} tokens have more than {fit.limit:,} word pieces "
                "alone: only their beginning is read"
            )
            yield Finding("warning", "length", message)
        if lengths.unknown > UNKNOWN * lengths.pieces:
            message = (
                f"{name}: {lengths.unknown:,} of {lengths.pieces:,} word pieces are unknown to "
                f"{fit.hero}: does it read this language?"
            )
            yield Finding("warning", "length", message)


def _count_misaligned(example: Example) -> int:
    lengths = example.alignment.x2y.lengths
    words = zip(example.predicted, lengths.tolist())
    return sum(n != 1 for token, n in words if not token.is_space)


def _find_contradictions(examples: Iterable[Example], key: str) -> Iterator[str]:
    for example in examples:
        labels = tuple(sorted({entity.label_ for entity in example.reference.ents}))
        try:
            list(incorrect_spans(example, key, TagSet("bio", labels)))
        except ValueError as error:
            yield f"{example.reference.text[:50]!r}: {error}"
