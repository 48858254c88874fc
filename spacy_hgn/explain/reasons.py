"""Explanations and alternatives of a component's entities."""

from collections.abc import Iterable
from typing import Any

import numpy
from spacy.tokens import Doc, Span

from ..entities.alternatives import Alternative, find_alternatives
from ..entities.posteriors import Posteriors, temper
from ..entities.score import constraints_alone, constraints_before
from ..tags.decoding import Entity, SpanConstraints
from ..tags.tag_pipe import TagPipe
from .explanation import Explanation, explain


class Reasons(TagPipe):
    """A component that can explain its entities and find alternatives."""

    overlap: bool

    def predict(self, docs: Iterable[Doc]) -> list[numpy.ndarray]:
        """Tag probabilities on the host. *Shape of each:* (tokens, tags). Raises ValueError before
        ``initialize``, and for Docs without the vectors that the model reads."""
        raise NotImplementedError

    def _decode(
        self, probabilities: numpy.ndarray, constraints: SpanConstraints
    ) -> list[tuple[Entity, float]]:
        """Decode entities with their scores."""
        raise NotImplementedError

    def alternatives(self, span: Span, k: int = 5) -> list[Alternative]:
        """The k most probable entities among a span's tokens, with any boundaries and label. The
        label "" means no entity in the whole span.

        Entities of other components and blocked tokens stay as they are. The Doc must have the
        vectors that the model reads. A Transformer's vectors are there after
        ``nlp(text, disable=["doc_cleaner"])``, and ``nlp.get_pipe("transformer")(doc)`` adds them
        again. Raises ValueError if they are missing or before ``initialize``, and TypeError for
        anything but a Span.
        """
        _expect(span, Span, "such as doc[0:2] or doc.ents[0]")
        (probabilities,) = self.predict([span.doc])
        posteriors = Posteriors(
            temper(probabilities, self.temperature),
            self._constraints_before(span.doc),
            self.tag_set,
        )
        return find_alternatives(posteriors, span.start, span.end, self.labels, k)

    def explain(self, doc: Doc) -> Explanation:
        """Explain a Doc's entities: for each token, the weights of windows and Hero and the
        probabilities of tags; for each entity, its score with a boundary moved by one token.

        The Doc must have the vectors that the model reads, as for ``alternatives``. It isn't
        changed. With ``scores = false``, the component's own entities on the Doc look like those of
        another component: explain a Doc without them. Raises ValueError if vectors are missing or
        before ``initialize``, and TypeError for anything but a Doc.
        """
        _expect(doc, Doc, "such as nlp(text)")
        constraints = self._constraints_before(doc)
        (probabilities,) = self.predict([doc])
        found = self._decode(probabilities, constraints)
        return explain(
            doc,
            self.model,
            temper(probabilities, self.temperature),
            [entity for entity, _ in found],
            constraints,
            self.tag_set,
            None if self.trained_over is None else self.trained_over.layers,
        )

    def _constraints_before(self, doc: Doc) -> SpanConstraints:
        """Where entities are possible, ignoring this component's own."""
        return constraints_alone(doc) if self.overlap else constraints_before(doc, self._spans_key)


def _expect(given: Any, kind: type, example: str) -> None:
    if not isinstance(given, kind):
        raise TypeError(f"Expected a {kind.__name__}, {example}; got {type(given).__name__}.")
