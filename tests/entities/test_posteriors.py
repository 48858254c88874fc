"""Posteriors against the enumeration of all taggings that scheme and text allow."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tags.test_decoding import FLOOR, LABELS, enumerate_valid, no_constraints, texts

from spacy_hgn.entities import posteriors
from spacy_hgn.entities.posteriors import Posteriors, entity_probabilities
from spacy_hgn.tags.decoding import DECODERS, SpanConstraints, decode
from spacy_hgn.tags.tag_set import TagSet

VERY_SMALL = 1e-290  # the sums below are of products of probabilities as they are


def enumerate_entities(probabilities, constraints, tag_set):
    """Each possible entity's probability, and each token's of being outside."""
    weights, outside = Counter(), numpy.zeros(len(probabilities))
    total = 0.0
    for indices, entities in enumerate_valid(len(probabilities), constraints, tag_set):
        chosen = probabilities[numpy.arange(len(indices)), list(indices)].astype("float64")
        weight = float(numpy.maximum(chosen, FLOOR).prod())
        total += weight
        for entity in entities:
            weights[entity] += weight
        outside[numpy.equal(indices, 0)] += weight
    assume(total > VERY_SMALL)
    return {entity: weight / total for entity, weight in weights.items()}, outside / total


def every_entity(length, tag_set):
    boundaries = itertools.combinations(range(length + 1), 2)
    return [(*pair, label) for pair in boundaries for label in range(len(tag_set.labels))]


def join(constraints):
    """Texts one behind the other as one whose parts are kept apart."""
    free, solid, joined = (
        numpy.concatenate([getattr(each, name) for each in constraints])
        for name in ("free", "solid", "joined")
    )
    joined[numpy.cumsum([0, *(len(each.free) for each in constraints[:-1])])] = False
    return SpanConstraints(free, solid, joined)


@settings(max_examples=200, deadline=None)
@given(texts(max_tokens=5))
def test_an_entity_has_the_weight_of_all_taggings_that_have_it(text):
    probabilities, _, tag_set = text
    length = len(probabilities)
    assume(len(tag_set) ** length <= 3125)
    expected, outside = enumerate_entities(*text)
    found = Posteriors(*text)
    for entity in every_entity(length, tag_set):
        assert found.of(entity) == pytest.approx(expected.get(entity, 0.0), rel=1e-9, abs=1e-300)
    numpy.testing.assert_allclose(found.outside, outside, rtol=1e-9, atol=1e-300)


@settings(max_examples=100, deadline=None)
@given(texts(max_tokens=4))
def test_none_has_the_weight_of_all_taggings_without_entities_there(text):
    probabilities, constraints, tag_set = text
    length = len(probabilities)
    assume(len(tag_set) ** length <= 3125)
    total, without = 0.0, Counter()
    regions = list(itertools.combinations(range(length + 1), 2))
    for indices, _ in enumerate_valid(length, constraints, tag_set):
        chosen = probabilities[numpy.arange(length), list(indices)].astype("float64")
        weight = float(numpy.maximum(chosen, FLOOR).prod())
        total += weight
        for start, end in regions:
            without[start, end] += weight * (not any(indices[start:end]))
    assume(total > VERY_SMALL)
    found = Posteriors(*text)
    for region in regions:
        expected = without[region] / total
        assert found.of_none(*region) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@settings(max_examples=150, deadline=None)
@given(texts(max_tokens=12))
def test_a_token_is_outside_or_in_one_entity(text):
    probabilities, _, tag_set = text
    length = len(probabilities)
    found = Posteriors(*text)
    covered = numpy.zeros(length)
    for start, end, label in every_entity(length, tag_set):
        covered[start:end] += found.of((start, end, label))
    numpy.testing.assert_allclose(found.outside + covered, 1, rtol=1e-9)


@settings(max_examples=100, deadline=None)
@given(texts(max_tokens=8), st.data())
def test_ranked_are_all_entities_of_a_region_in_order(text, data):
    probabilities, _, tag_set = text
    length = len(probabilities)
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, length))
    found = Posteriors(*text)
    expected = [
        entity
        for entity in every_entity(length, tag_set)
        if entity[0] < end and entity[1] > start and found.of(entity) > 0
    ]
    ranked = list(found.ranked(start, end))
    assert sorted(entity for entity, _ in ranked) == sorted(expected)
    scores = [score for _, score in ranked]
    assert scores == sorted(scores, reverse=True)
    assert scores == pytest.approx([found.of(entity) for entity, _ in ranked], rel=1e-9)


def lay_end_to_end(batch, entities):
    """Texts as one, and their entities as that one counts tokens."""
    free, solid, joined = (
        numpy.concatenate([getattr(constraints, name) for _, constraints, _ in batch])
        for name in ("free", "solid", "joined")
    )
    starts = numpy.cumsum([0, *(len(probabilities) for probabilities, *_ in batch)]).tolist()
    joined[starts[:-1]] = False
    moved = [
        (first + start, first + end, label)
        for first, found in zip(starts, entities)
        for start, end, label in found
    ]
    probabilities = numpy.concatenate([probabilities for probabilities, *_ in batch])
    return probabilities, SpanConstraints(free, solid, joined), moved


@settings(max_examples=100, deadline=None)
@given(st.lists(texts(max_tokens=9), min_size=1, max_size=6), st.sampled_from(DECODERS))
def test_a_text_scores_alone_as_in_any_batch(batch, decoder):
    tag_set = batch[0][2]
    batch = [each for each in batch if each[2] == tag_set]
    entities = [decode(*each, decoder) for each in batch]
    probabilities, constraints, moved = lay_end_to_end(batch, entities)
    assert decode(probabilities, constraints, tag_set, decoder) == moved
    together = entity_probabilities(probabilities, constraints, tag_set, moved)
    alone = [
        Posteriors(*each).of(entity) for each, found in zip(batch, entities) for entity in found
    ]
    assert together == pytest.approx(alone, rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(text=texts(max_tokens=12), decoder=st.sampled_from(DECODERS))
def test_what_either_decoder_finds_is_possible(text, decoder):
    """Argmax may name entities by tags that the scheme forbids; their score is no zero."""
    probabilities, _, _ = text
    assume(probabilities.min() > 1e-6)
    found = Posteriors(*text)
    for entity in decode(*text, decoder):
        assert 0 < found.of(entity) <= 1 + 1e-12


@settings(max_examples=100, deadline=None)
@given(texts(max_tokens=12))
def test_logarithms_and_plain_sums_agree(text):
    plain = Posteriors(*text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posteriors, "is_safe", lambda sums: False)
        logarithmic = Posteriors(*text)
    for name, array in vars(plain).items():
        numpy.testing.assert_allclose(array, vars(logarithmic)[name], rtol=1e-9, atol=1e-280)


@pytest.mark.parametrize(
    ("scheme", "last", "whole", "none"),
    [("bio", "I-X", 1 / 2, 1 / 4), ("biluo", "L-X", 2 / 3, 1 / 3)],
)
def test_evidence_beyond_the_range_of_floats_is_weighed(scheme, last, whole, none):
    """Twenty blanks say by 1e600 that an entity goes over them, twenty more that none does."""
    tag_set = TagSet(scheme, ("X",))
    outside, begins, inside, ends = map(tag_set.tags.index, ["O", "B-X", "I-X", last])
    probabilities = numpy.full((42, len(tag_set)), FLOOR)
    probabilities[0, [outside, begins]] = 0.5
    probabilities[1:21, [outside, inside]] = 1e-30, 1
    probabilities[21:41, [outside, inside]] = 1, 1e-30
    probabilities[41, [outside, ends]] = 0.3, 0.6
    constraints = replace(no_constraints(42), solid=numpy.isin(numpy.arange(42), [0, 41]))
    found = Posteriors(probabilities, constraints, tag_set)
    assert found.of((0, 42, 0)) == pytest.approx(whole)
    assert found.of_none(0, 42) == pytest.approx(none)


def test_sentences_are_scored_by_themselves():
    tag_set = TagSet("bio", LABELS)
    random = numpy.random.default_rng(0)
    first, second = (random.dirichlet(numpy.ones(5), 4) for _ in range(2))
    apart = join([no_constraints(4), no_constraints(4)])
    both = Posteriors(numpy.concatenate([first, second]), apart, tag_set)
    alone = Posteriors(second, no_constraints(4), tag_set)
    assert both.of((5, 8, 1)) == pytest.approx(alone.of((1, 4, 1)))
    assert both.of((3, 5, 1)) == 0


def test_no_entities_and_no_labels():
    tag_set = TagSet("bio", LABELS)
    for tokens in (0, 3):
        probabilities, constraints = numpy.ones((tokens, 5)), no_constraints(tokens)
        assert entity_probabilities(probabilities, constraints, tag_set, []) == []
        assert decode(probabilities[:0], no_constraints(0), tag_set, "viterbi") == []
    found = Posteriors(numpy.ones((3, 1)), no_constraints(3), TagSet("bio", ()))
    assert list(found.ranked(0, 3)) == []
    assert found.of_none(0, 3) == 1
