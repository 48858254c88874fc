"""The gold tags of a batch, in arrays where predicted and gold tokens are the same."""

from collections.abc import Iterator, Sequence

import numpy
from numpy import ndarray
from spacy.attrs import ENT_IOB, ENT_TYPE, IS_SPACE, ORTH, SENT_START
from spacy.strings import get_string_id
from spacy.training import Example

from ..tags.tag_set import MISSING, TagSet, gold_tags
from ..util.lists import ends_of, ranges, split

INSIDE, OUTSIDE, BEGIN = 1, 2, 3
"""Values of spaCy's ENT_IOB."""


def batch_tags(examples: Sequence[Example], tag_set: TagSet) -> tuple[ndarray, list[Example]]:
    """The gold tags of all Examples, as from ``gold_tags``, concatenated, *shape* (tokens,), and
    the Examples that may have entities that can't be learnt."""
    texts = [_read(example) for example in examples]
    found = iter(_find_tags([text for text in texts if text is not None], tag_set))
    tags = [None if text is None else next(found) for text in texts]
    doubtful = [example for example, easy in zip(examples, tags) if easy is None]
    aligned = iter([_align_tags(example, tag_set) for example in doubtful])
    return numpy.concatenate([next(aligned) if t is None else t for t in tags]), doubtful


def _align_tags(example: Example, tag_set: TagSet) -> ndarray:
    for entity in example.reference.ents:  # their vocabulary may be another
        example.predicted.vocab.strings.add(entity.label_)
    return gold_tags(example, tag_set)


def _read(example: Example) -> ndarray | None:
    """White space and sentence starts of the predicted tokens, and entities of the reference; None
    if the tokens differ. *Shape:* (tokens, 4)"""
    predicted = example.predicted.to_array([ORTH, IS_SPACE, SENT_START])
    reference = example.reference.to_array([ORTH, ENT_IOB, ENT_TYPE])
    if not numpy.array_equal(predicted[:, 0], reference[:, 0]):
        return None
    return numpy.hstack([predicted[:, 1:], reference[:, 1:]])


def _find_tags(texts: Sequence[ndarray], tag_set: TagSet) -> Iterator[ndarray | None]:
    """The tags of each text; None for a text with entities that have an unknown label or can't be
    predicted."""
    ends = ends_of(list(map(len, texts)))
    text_of = numpy.repeat(numpy.arange(len(texts)), numpy.diff(ends))
    is_space, sent_start, iob, types = numpy.concatenate([numpy.empty((0, 4), "uint64"), *texts]).T
    begins = (iob == BEGIN) & (types != 0)
    inside = iob == INSIDE
    follows = numpy.concatenate([[False], (begins | inside)[:-1]])
    follows[ends[:-1][ends[:-1] < len(iob)]] = False
    starts = numpy.flatnonzero(begins)
    stops = numpy.append(numpy.flatnonzero(~inside), len(iob))
    after = stops[numpy.searchsorted(stops, starts, side="right")]
    labels = _labels_of(types[starts], tag_set)
    cuts = ends_of(sent_start == 1)
    impossible = (is_space[starts] | is_space[after - 1]) != 0
    impossible |= cuts[after] > cuts[starts + 1]

    doubted = numpy.zeros(len(texts), dtype=bool)
    doubted[text_of[inside & ~follows]] = True
    doubted[text_of[starts[impossible | (labels < 0)]]] = True
    is_annotated = numpy.bincount(text_of, iob, len(texts)) > 0
    tags = numpy.where((iob == OUTSIDE) | (is_space != 0), 0, MISSING)
    tags[~is_annotated[text_of]] = MISSING
    tokens = ranges(starts, after - starts)
    place = numpy.ones(len(iob), dtype="int64")  # in an entity
    place[after - 1] = 2
    place[starts] = numpy.where(after - starts == 1, 3, 0)
    tags[tokens] = _table(tag_set)[numpy.repeat(labels, after - starts), place[tokens]]
    for easy, of_text in zip(~doubted, split(tags, ends)):
        yield of_text if easy else None


def _labels_of(types: ndarray, tag_set: TagSet) -> ndarray:
    """The indices of the labels of entity types; -1 is unknown. *Shape:* (entities,)"""
    numbers = {get_string_id(label): i for i, label in enumerate(tag_set.labels)}
    return numpy.array([numbers.get(each, -1) for each in types.tolist()], dtype="int64")


def _table(tag_set: TagSet) -> ndarray:
    """The tags of each label, and last of no label, at the positions B, I, L, U of an entity."""
    labels = [*tag_set.labels, ""]
    return numpy.stack([tag_set.from_biluo([f"{p}-{label}" for p in "BILU"]) for label in labels])
