"""Gold entities that can't be learnt, which are reported and never silently dropped."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from spacy.tokens import Span
from spacy.training import Example

from ..tags.tag_set import why_impossible

logger = logging.getLogger("spacy_hgn")

NAMED = 10
"""The maximum number that a component lists in its warnings; all are counted."""


class UnlearnableEntity(NamedTuple):
    """A gold entity that can't be learnt, with the reason."""

    text: str
    start_char: int
    end_char: int
    label: str
    reason: str

    def __str__(self) -> str:
        where = f"characters {self.start_char} to {self.end_char}"
        return f"{self.text!r} ({self.label or 'unlabelled'}, {where}) {self.reason}"


class UnlearnableGold:
    """The entities that a component has seen. An entity at the same place in a text counts once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str], UnlearnableEntity] = {}

    @property
    def entities(self) -> tuple[UnlearnableEntity, ...]:
        return tuple(self._found.values())

    def add(
        self,
        examples: Iterable[Example],
        labels: Sequence[str] | None,
        incorrect_spans_key: str | None,
        name: str,
    ) -> None:
        """Record the entities in Examples, and warn about new ones, up to ``NAMED``.

        labels: the known entity types; None is all. name: of the component.
        """
        new = []
        for example in examples:
            for entity in unlearnable(example, labels, incorrect_spans_key):
                key = (example.reference.text, *entity[1:4])
                if key not in self._found:
                    self._found[key] = entity
                    new.append(entity)
        self._warn(new, name)

    def _warn(self, new: list[UnlearnableEntity], name: str) -> None:
        named_before = len(self._found) - len(new)
        shown = "; ".join(str(entity) for entity in new[: max(NAMED - named_before, 0)])
        if shown:
            full = f"; all are in {name}'s `unlearnable`" if len(self._found) >= NAMED else ""
            logger.warning(
                "%s can't learn %d of the gold entities, and treats their tokens as missing: %s%s.",
                name,
                len(new),
                shown,
                full,
            )


def unlearnable(
    example: Example, labels: Sequence[str] | None, incorrect_spans_key: str | None
) -> Iterator[UnlearnableEntity]:
    """The entities and incorrect spans of an Example that can't be learnt.

    labels: the known entity types; None is all.
    """
    spans = list(example.reference.ents)
    if incorrect_spans_key is not None:
        spans += example.reference.spans.get(incorrect_spans_key, [])
    for span in spans:
        # The reference may have its own vocabulary.
        example.predicted.vocab.strings.add(span.label_)
        aligned = example.get_aligned_spans_y2x([span])
        reason = why_impossible(aligned[0]) if aligned else "doesn't match the tokens"
        if reason is None and labels is not None and span.label_ not in ("", *labels):
            reason = "has a label that the component doesn't know"
        if reason is not None:
            yield _described(span, reason)


def _described(span: Span, reason: str) -> UnlearnableEntity:
    return UnlearnableEntity(span.text, span.start_char, span.end_char, span.label_, reason)
