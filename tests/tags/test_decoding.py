"""Decoding against enumeration of all tag sequences, and against conlleval's reading."""

import itertools
import re

import numpy
import pytest
import spacy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span

from spacy_hgn.tags.decoding import (
    DECODERS,
    SpanConstraints,
    constraints_of,
    decode,
    read_tags,
    viterbi,
)
from spacy_hgn.tags.tag_set import SCHEMES, TagSet

VOCAB = spacy.blank("xx").vocab
LABELS = ("0", "1")  # one letter each, for the grammar below
GRAMMAR = {
    "bio": r"B0(?:I0)*|B1(?:I1)*",
    "biluo": r"U0|U1|B0(?:I0)*L0|B1(?:I1)*L1",
}
"""The tags of one entity, each written with two letters; outside is ``O.``."""

FLOOR = float(numpy.finfo("float32").tiny)


def entities_of(tags, scheme):
    """The entities of tags by name, or None if the scheme doesn't allow them."""
    text = "".join(tag.replace("-", "") if tag != "O" else "O." for tag in tags)
    if not re.fullmatch(rf"(?:O\.|{GRAMMAR[scheme]})*", text):
        return None
    found = re.finditer(GRAMMAR[scheme], text)
    return [(m.start() // 2, m.end() // 2, LABELS.index(m[0][1])) for m in found]


def fits(entity, constraints):
    """Whether the text allows an entity at that place."""
    start, end, _ = entity
    return bool(
        constraints.free[start:end].all()
        and constraints.solid[start]
        and constraints.solid[end - 1]
        and constraints.joined[start + 1 : end].all()
    )


def enumerate_valid(length, constraints, tag_set):
    """Indices and entities of all tag sequences that scheme and text allow."""
    for indices in itertools.product(range(len(tag_set)), repeat=length):
        entities = entities_of([tag_set.tags[i] for i in indices], tag_set.scheme)
        if entities is not None and all(fits(entity, constraints) for entity in entities):
            yield indices, entities


def log_probability(indices, probabilities):
    chosen = probabilities[numpy.arange(len(indices)), list(indices)].astype("float64")
    return float(numpy.log(numpy.maximum(chosen, FLOOR)).sum())


def no_constraints(length):
    return SpanConstraints(*numpy.ones((3, length), dtype=bool))


@st.composite
def texts(draw, max_tokens):
    """Probabilities, constraints and tags of a random text; peaked, flat, and with zeros."""
    length = draw(st.integers(1, max_tokens))
    tag_set = TagSet(draw(st.sampled_from(sorted(SCHEMES))), LABELS[: draw(st.integers(1, 2))])
    random = numpy.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sharpness = draw(st.sampled_from([0.1, 1, 3, 30, 300]))
    logits = sharpness * random.normal(size=(length, len(tag_set)))
    exp = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (exp / exp.sum(axis=1, keepdims=True)).astype("float32")
    free, solid, joined = (random.random(length) < share for share in (0.9, 0.6, 0.9))
    constraints = draw(
        st.sampled_from([SpanConstraints(free, solid, joined), no_constraints(length)])
    )
    return probabilities, constraints, tag_set


# Viterbi


@settings(max_examples=250, deadline=None)
@given(texts(max_tokens=5))
def test_viterbi_finds_the_most_probable_valid_tags(text):
    probabilities, constraints, tag_set = text
    length = len(probabilities)
    assume(len(tag_set) ** length <= 3125)  # 5 tokens with up to 5 tags, 3 with 9
    valid = {indices for indices, _ in enumerate_valid(length, constraints, tag_set)}
    found = tuple(viterbi(probabilities, constraints, tag_set).tolist())
    assert found in valid
    best = max(log_probability(indices, probabilities) for indices in valid)
    assert log_probability(found, probabilities) == pytest.approx(best, rel=1e-9, abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(texts(max_tokens=12))
def test_decode_equals_viterbi(text):
    """``decode`` takes a short cut where each token's best tags are valid as they are."""
    probabilities, constraints, tag_set = text
    tags = viterbi(probabilities, constraints, tag_set)
    expected = entities_of([tag_set.tags[i] for i in tags], tag_set.scheme)
    found = decode(probabilities, constraints, tag_set, "viterbi")
    if found != expected:  # two sequences may be as probable as each other
        other = tags_of(found, len(tags), tag_set)
        assert log_probability(other, probabilities) == pytest.approx(
            log_probability(tags, probabilities), rel=1e-12
        )


def tags_of(entities, length, tag_set):
    """The tags that name the entities."""
    names = ["O"] * length
    for start, end, label in entities:
        inner = ["I"] * (end - start)
        inner[0] = "B"
        if tag_set.scheme == "biluo":
            inner[-1] = "U" if end - start == 1 else "L"
        names[start:end] = [f"{prefix}-{LABELS[label]}" for prefix in inner]
    return [tag_set.tags.index(name) for name in names]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_both_ways_through_decode_are_exact(scheme):
    """Peaked probabilities of valid tags take the short cut, of invalid ones don't."""
    tag_set = TagSet(scheme, LABELS)
    for indices in itertools.product(range(len(tag_set)), repeat=3):
        probabilities = numpy.full((3, len(tag_set)), 0.01) + 0.001 * numpy.arange(len(tag_set))
        probabilities[numpy.arange(3), indices] = 0.9
        expected = viterbi(probabilities, no_constraints(3), tag_set)
        found = decode(probabilities, no_constraints(3), tag_set, "viterbi")
        best = log_probability(expected, probabilities)
        assert log_probability(tags_of(found, 3, tag_set), probabilities) == pytest.approx(best)


# Argmax


def conlleval_chunks(tags):
    """The chunks as conlleval reads them, ported from its startOfChunk and endOfChunk.

    biluo's L and U are conlleval's E and S.
    """
    chunks, start, before, type_before = [], None, "O", ""
    for i, tag in enumerate([*tags, "O"]):
        prefix, _, type_ = tag.partition("-")
        prefix = {"L": "E", "U": "S"}.get(prefix, prefix)
        pair = before + prefix
        if start is not None and (
            pair in ("BB", "BS", "BO", "IB", "IS", "IO")
            or before in ("E", "S")
            or type_ != type_before
        ):
            chunks.append((start, i, LABELS.index(type_before)))
            start = None
        if (
            prefix in ("B", "S")
            or pair in ("EE", "EI", "SE", "SI", "OE", "OI")
            or (prefix != "O" and type_ != type_before)
        ):
            start = i
        before, type_before = prefix, type_
    return chunks


@settings(max_examples=200, deadline=None)
@given(scheme=st.sampled_from(sorted(SCHEMES)), data=st.data())
def test_argmax_reads_tags_as_conlleval_does(scheme, data):
    tag_set = TagSet(scheme, LABELS)
    indices = data.draw(st.lists(st.integers(0, len(tag_set) - 1), min_size=1, max_size=8))
    expected = conlleval_chunks([tag_set.tags[i] for i in indices])
    constraints = no_constraints(len(indices))
    assert decode(numpy.eye(len(tag_set))[indices], constraints, tag_set, "argmax") == expected
    assert read_tags(numpy.array(indices), constraints, tag_set) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["I-0"], [(0, 1, 0)]),
        (["O", "I-0", "I-0", "O"], [(1, 3, 0)]),
        (["B-0", "I-1", "I-1"], [(0, 1, 0), (1, 3, 1)]),
        (["B-0", "B-0", "I-0"], [(0, 1, 0), (1, 3, 0)]),
        (["I-0", "O", "I-0"], [(0, 1, 0), (2, 3, 0)]),
    ],
    ids=str,
)
def test_an_orphan_inside_begins_an_entity(tags, expected):
    tag_set = TagSet("bio", LABELS)
    probabilities = numpy.eye(len(tag_set))[[tag_set.tags.index(tag) for tag in tags]]
    assert conlleval_chunks(tags) == expected
    assert decode(probabilities, no_constraints(len(tags)), tag_set, "argmax") == expected


# What both decoders promise


@settings(max_examples=200, deadline=None)
@given(texts(max_tokens=12), st.sampled_from(DECODERS))
def test_entities_keep_to_the_text(text, decoder):
    probabilities, constraints, tag_set = text
    entities = decode(probabilities, constraints, tag_set, decoder)
    end_before = 0
    for start, end, label in entities:
        assert end_before <= start < end <= len(probabilities)
        assert 0 <= label < len(tag_set.labels)
        assert fits((start, end, label), constraints)
        end_before = end


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_probabilities_that_underflowed(scheme, decoder):
    """Zeros are improbable, not forbidden: the rest of the row must still decide."""
    tag_set = TagSet(scheme, LABELS)
    for indices in itertools.product(range(len(tag_set)), repeat=3):
        one_hot = numpy.eye(len(tag_set), dtype="float32")[list(indices)]
        for entity in decode(one_hot, no_constraints(3), tag_set, decoder):
            assert fits(entity, no_constraints(3))
    nothing = numpy.zeros((4, len(tag_set)), dtype="float32")
    assert decode(nothing, no_constraints(4), tag_set, decoder) == []


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_tokens_and_no_labels(scheme, decoder):
    tag_set = TagSet(scheme, LABELS)
    assert decode(numpy.zeros((0, len(tag_set))), no_constraints(0), tag_set, decoder) == []
    assert decode(numpy.ones((3, 1)), no_constraints(3), TagSet(scheme, ()), decoder) == []


# The constraints of a Doc


def test_constraints_of_a_doc():
    words = ["Ann", "left", "\n", "Acme", "Corp", "for", "Bell"]
    doc = Doc(VOCAB, words=words, sent_starts=[True, False, False, True, False, False, None])
    doc.set_ents([Span(doc, 3, 5, "ORG")], blocked=[doc[6:7]])
    constraints = constraints_of(doc)
    assert constraints.free.tolist() == [True, True, True, False, False, True, False]
    assert constraints.solid.tolist() == [True, True, False, True, True, True, True]
    assert constraints.joined[1:].tolist() == [True, True, False, True, True, True]


def test_a_doc_without_sentences_is_joined():
    constraints = constraints_of(Doc(VOCAB, words=["a", "b", "c"]))
    assert constraints.free.all()
    assert constraints.joined[1:].all()
    assert len(constraints_of(Doc(VOCAB)).free) == 0
