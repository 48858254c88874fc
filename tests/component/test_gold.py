"""The gold tags of a batch by arrays are those of spaCy's alignment, Example by Example."""

import random

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_hgn.tags.tag_set import SCHEMES, TagSet, gold_tags
from spacy_hgn.training.gold import batch_tags

VOCABULARIES = [spacy.blank("xx").vocab for _ in range(2)]
"""Of the predicted Docs, and of some of the gold."""
WORDS = ["a", "B", "\n", " ", "İ", "東京", "don't"]
LABELS = ("PERSON", "ORG", "two words")


def some_example(rng: random.Random) -> Example:
    """Any words, white space, sentences; entities, missing and blocked ones among the gold."""
    words = [rng.choice(WORDS) for _ in range(rng.randint(0, 7))]
    starts = [rng.choice([True, False, None]) for _ in words]
    predicted = Doc(VOCABULARIES[0], words=words, sent_starts=starts or None)
    if len(words) > 1 and rng.random() < 0.1:
        words = [words[0] + words[1], *words[2:]]
    reference = Doc(rng.choice(VOCABULARIES), words=words)
    if words and rng.random() < 0.8:
        annotate(reference, rng)
    return Example(predicted, reference)


def annotate(doc: Doc, rng: random.Random) -> None:
    kinds: dict[str, list[Span]] = {"entities": [], "missing": [], "blocked": [], "outside": []}
    start = 0
    while start < len(doc):
        kind = rng.choice(list(kinds))
        end = min(start + rng.randint(1, 3), len(doc)) if kind == "entities" else start + 1
        label = rng.choice([*LABELS, "unknown"]) if kind == "entities" else ""
        kinds[kind].append(Span(doc, start, end, label))
        start = end
    doc.set_ents(**kinds, default=rng.choice(["outside", "missing"]))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_are_those_of_the_alignment(scheme):
    rng = random.Random(0)
    tag_set = TagSet(scheme, LABELS)
    easy = 0
    for _ in range(400):
        examples = [some_example(rng) for _ in range(rng.randint(1, 5))]
        tags, doubtful = batch_tags(examples, tag_set)
        for label in (*LABELS, "unknown"):
            VOCABULARIES[0].strings.add(label)
        expected = [gold_tags(example, tag_set) for example in examples]
        numpy.testing.assert_array_equal(tags, numpy.concatenate(expected))
        easy += len(examples) - len(doubtful)
    assert easy > 300
