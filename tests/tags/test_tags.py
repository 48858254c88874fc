"""Tags, their rules, and the gold tags of Examples."""

import numpy
import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_hgn.tags.tag_set import MISSING, SCHEMES, TagSet, check_label, gold_tags

VOCAB = spacy.blank("xx").vocab
LABELS = ("ORG", "B-PER", "Größe", "I-O", "組織")


# The tags and what may follow what


def test_tags_are_o_and_then_each_labels_prefixes():
    assert TagSet("bio", ("A", "B-C")).tags == ["O", "B-A", "I-A", "B-B-C", "I-B-C"]
    assert TagSet("biluo", ("A",)).tags == ["O", "B-A", "I-A", "L-A", "U-A"]
    assert TagSet("bio", ()).tags == ["O"]


@pytest.mark.parametrize("labels", [(), ("A",), LABELS], ids=len)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_arrays_say_what_the_names_say(scheme, labels):
    tag_set = TagSet(scheme, labels)
    assert len(tag_set) == len(tag_set.tags) == 1 + len(labels) * len(SCHEMES[scheme])
    for i, tag in enumerate(tag_set.tags):
        prefix, _, label = tag.partition("-")
        assert tag_set.label_of[i] == (labels.index(label) if label else -1)
        assert tag_set.begins[i] == (prefix in ("B", "U"))
        assert tag_set.continues[i] == (prefix in ("I", "L"))
        assert tag_set.stays_open[i] == (scheme == "biluo" and prefix in ("B", "I"))
        assert tag_set.closed[i] == (prefix in ("O", "L", "U"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_can_follow(scheme):
    tag_set = TagSet(scheme, LABELS)
    for i, a in enumerate(tag_set.tags):
        for j, b in enumerate(tag_set.tags):
            assert tag_set.can_follow(i, j) == may_follow(a, b, scheme), (a, b)


def may_follow(a, b, scheme):
    """The rule by the tags' names."""
    if b[0] in "IL":
        return a[0] in "BI" and a[1:] == b[1:]
    return scheme == "bio" or a[0] not in "BI"


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="tag_scheme: expected one of bio, biluo, got 'iob'"):
        TagSet("iob", ())


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("bio", ["B-B-PER", "B-組織", "I-組織", "I-組織", "O", None, None, None]),
        ("biluo", ["U-B-PER", "B-組織", "I-組織", "L-組織", "O", None, None, None]),
    ],
)
def test_from_biluo(scheme, expected):
    tag_set = TagSet(scheme, LABELS)
    given = ["U-B-PER", "B-組織", "I-組織", "L-組織", "O", None, "U-PER", "-"]
    assert names(tag_set.from_biluo(given), tag_set) == expected


# Gold tags


def names(indices, tag_set):
    return [None if i == MISSING else tag_set.tags[i] for i in indices]


def make_doc(text):
    """A Doc of the words between blanks; ``|`` parts tokens without a blank, ``¶`` is a break."""
    words, spaces = [], []
    for chunk in text.split(" "):
        parts = chunk.split("|")
        words += [part.replace("¶", "\n") for part in parts]
        spaces += [False] * (len(parts) - 1) + [True]
    return Doc(VOCAB, words=words, spaces=spaces)


def gold(reference, entities, predicted=None, *, scheme="bio", labels=LABELS, missing=()):
    """The gold tags of the predicted tokens, by name. entities: None for no annotation."""
    doc = make_doc(reference)
    if entities is not None:
        spans = [Span(doc, *entity) for entity in entities]
        doc.set_ents(spans, missing=[doc[i : i + 1] for i in missing])
    tag_set = TagSet(scheme, labels)
    tags = gold_tags(Example(make_doc(predicted or reference), doc), tag_set)
    assert tags.dtype == numpy.dtype("int64")
    return names(tags, tag_set)


TEXT = "Acme Holding Corp hired Ann"
ENTITIES = [(0, 3, "ORG"), (4, 5, "B-PER")]


def test_gold_tags():
    assert gold(TEXT, ENTITIES) == ["B-ORG", "I-ORG", "I-ORG", "O", "B-B-PER"]
    biluo = gold(TEXT, ENTITIES, scheme="biluo")
    assert biluo == ["B-ORG", "I-ORG", "L-ORG", "O", "U-B-PER"]
    assert gold(TEXT, []) == ["O"] * 5


def test_labels_with_hyphens_and_other_letters():
    entities = [(i, i + 1, label) for i, label in enumerate(LABELS)]
    assert gold(TEXT, entities, scheme="biluo") == [f"U-{label}" for label in LABELS]


def test_no_annotation_is_missing():
    assert gold(TEXT, None) == [None] * 5


def test_partial_annotation():
    assert gold(TEXT, [(0, 2, "ORG")], missing=[3, 4]) == ["B-ORG", "I-ORG", "O", None, None]


def test_a_label_that_isnt_there_is_missing():
    expected = ["B-ORG", "I-ORG", "I-ORG", "O", None]
    assert gold(TEXT, ENTITIES, labels=("ORG", "PER")) == expected
    assert gold(TEXT, ENTITIES, labels=()) == [None, None, None, "O", None]


def test_other_tokens_in_the_predicted_doc():
    split = gold("AcmeCorp hired Ann", [(0, 1, "ORG")], "Acme|Corp hired A|nn")
    assert split == ["B-ORG", "I-ORG", "O", "O", "O"]
    merged = gold("Acme|Corp hired Ann|.", [(0, 2, "ORG")], "AcmeCorp hired Ann.")
    assert merged == ["B-ORG", "O", "O"]
    unfit = gold("Acme|Corp hired Ann|.", [(0, 1, "ORG"), (3, 4, "B-PER")], "AcmeCorp hired Ann.")
    assert unfit == [None, "O", None]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("text", "entity", "expected"),
    [
        ("Acme|¶|hired", (0, 2), [None, None, "O"]),
        ("¶|Acme Corp", (0, 3), [None, None, None]),
        ("so|¶|hired", (1, 2), ["O", None, "O"]),
        ("so Acme Corp|¶|¶|hired", (1, 5), ["O", None, None, None, None, "O"]),
    ],
)
def test_an_entity_with_white_space_at_an_end_is_missing_as_a_whole(text, entity, expected, scheme):
    assert gold(text, [(*entity, "ORG")], scheme=scheme) == expected


def test_white_space_inside_of_an_entity_belongs_to_it():
    assert gold("Acme|¶|Corp", [(0, 3, "ORG")], scheme="biluo") == ["B-ORG", "I-ORG", "L-ORG"]


def test_gold_tags_of_an_empty_doc():
    assert len(gold_tags(Example(Doc(VOCAB), Doc(VOCAB)), TagSet("bio", LABELS))) == 0


# Labels


@pytest.mark.parametrize("label", [*LABELS, "x", "a label", "O", "B-", "-"])
def test_labels_that_tags_can_carry(label):
    assert check_label(label) == label


@pytest.mark.parametrize("label", ["", " ", " A", "A ", "A\n", "A\nB", "A\tB", "A\u00a0", "\x00"])
def test_labels_that_tags_cannot_carry_are_named(label):
    with pytest.raises(ValueError, match="label") as caught:
        check_label(label)
    assert repr(label) in str(caught.value)


@pytest.mark.parametrize("label", [None, 3, b"ORG", ("ORG",)])
def test_labels_are_strings(label):
    with pytest.raises(ValueError, match="string") as caught:
        check_label(label)
    assert repr(label) in str(caught.value)
