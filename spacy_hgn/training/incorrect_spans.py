"""Learning from spans that are known not to be entities, as ``ner`` does.

Every token has its own softmax, so the probability of exactly this entity is a product over its
tokens:

    P(entity) = p(its first tag) · p(its second tag) · ... · (1 - p(it goes on))

The last factor is for the token after the entity. It is needed if the scheme doesn't mark the last
token (bio doesn't, biluo does) and the entity could continue. The loss of an incorrect span is
-log(1 - P). A span without a label is no entity of any label. P is then the sum over labels,
because only one of them is possible at a time. Longer or shorter entities and those with other
labels aren't affected.
"""

from collections.abc import Iterator

import numpy
from spacy.errors import Errors
from spacy.tokens import Span
from spacy.training import Example

from ..tags.tag_set import TagSet, why_impossible

TINY = 1e-30


def incorrect_spans(
    example: Example, key: str, tag_set: TagSet
) -> Iterator[tuple[Span, tuple[str, ...]]]:
    """The incorrect spans on the predicted Doc, each with the labels that it can't have.

    Spans that don't match the tokens, can't be predicted, or have an unknown label are ignored.
    Raises ValueError for a span that is also a gold entity.
    """
    found = example.get_aligned_spans_y2x(example.reference.spans.get(key, []), allow_overlap=True)
    if not found:
        return
    entities = {
        (entity.start, entity.end, label)
        for entity in example.get_aligned_spans_y2x(example.reference.ents)
        for label in ("", entity.label_)
    }
    for span in {(span.start, span.end, span.label_): span for span in found}.values():
        if (span.start, span.end, span.label_) in entities:
            conflict = (span.start_char, span.end_char, span.label_)
            raise ValueError(Errors.E868.format(span=conflict))
        labels = [label for label in tag_set.labels if span.label_ in ("", label)]
        if labels and why_impossible(span) is None:
            yield span, tuple(labels)


def tags_of_span(span: Span, labels: tuple[str, ...], tag_set: TagSet) -> numpy.ndarray:
    """The tags that make exactly this span an entity, for each of the labels.

    *Shape:* (labels, positions, tags), boolean. The positions are the span's tokens and, if the
    entity could continue, the token after it.
    """
    prefixes = "U" if len(span) == 1 else "B" + "I" * (len(span) - 2) + "L"
    tags = [tag_set.from_biluo([f"{prefix}-{label}" for prefix in prefixes]) for label in labels]
    masks = numpy.array(tags)[..., None] == numpy.arange(len(tag_set))
    last = numpy.array([array[-1:] for array in tags])
    ends = tag_set.can_follow(last, numpy.arange(len(tag_set))) & tag_set.continues
    may_go_on = span.end < len(span.doc) and not span.doc[span.end].is_sent_start
    if may_go_on and ends.any():
        masks = numpy.concatenate([masks, ~ends[:, None]], axis=1)
    return masks


def span_loss(probabilities: numpy.ndarray, tags: numpy.ndarray) -> tuple[float, numpy.ndarray]:
    """-log(1 - P) of an incorrect span, and its gradient with respect to the logits.

    probabilities, and the gradient: *Shape:* (positions, tags).
    tags: from ``tags_of_span``. *Shape:* (labels, positions, tags)
    """
    p = probabilities.astype("float64")
    fits = (tags * p).sum(axis=-1)  # (labels, positions)
    differs = (~tags * p).sum(axis=-1)
    so_far = fits.cumprod(axis=1)
    # 1 - P as a sum over the first position that differs: a difference would cancel near P = 1.
    other = p[0, ~tags[:, 0].any(axis=0)].sum() + (so_far[:, :-1] * differs[:, 1:]).sum()
    other = max(other, TINY)
    odds = so_far[:, -1] / other
    ratio = differs / numpy.maximum(fits, TINY)
    d_log_fits = numpy.where(tags, p * ratio[..., None], -p)
    return -float(numpy.log(other)), (odds[:, None, None] * d_log_fits).sum(axis=0)
