import pytest
from eager import make_docs, read_columns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.schemes import BILUO, BMES, BMEWO, IOB1, IOB2, IOBES, NOTATIONS, find_scheme

LABELS = ["X", "Y", "geo-loc"]
LAST_AND_SINGLE = {"iobes": "ES", "biluo": "LU", "bmes": "ES", "bmewo": "EW"}
NAMES = ["iob2", "iob1", *LAST_AND_SINGLE]


def render(layout, scheme):
    """Tags as each scheme is defined. layout: (label, length) pieces; "" is O, "-" missing."""
    tags = []
    previous = ""
    for label, length in layout:
        if label in ("", "-"):
            tags += [label or "O"] * length
        else:
            middle = "M" if scheme in ("bmes", "bmewo") else "I"
            inside = [f"{middle}-{label}"] * length
            if scheme == "iob2" or (scheme == "iob1" and previous == label):
                inside[0] = f"B-{label}"
            if scheme in LAST_AND_SINGLE:
                last, single = LAST_AND_SINGLE[scheme]
                inside[0] = f"B-{label}"
                inside[-1] = f"{last if length > 1 else single}-{label}"
            tags += inside
        previous = label
    return tags


layouts = st.lists(
    st.tuples(st.sampled_from(["", "-", *LABELS]), st.integers(1, 4)), min_size=1, max_size=8
)
corpora = st.lists(layouts, min_size=1, max_size=4)


def to_text(corpus, scheme):
    sentences = [render(layout, scheme) for layout in corpus]
    return "\n\n".join(
        "\n".join(f"w{i}\t{tag}" for i, tag in enumerate(tags)) for tags in sentences
    )


def annotation(doc):
    tokens = [(t.text, t.whitespace_, t.ent_iob_, t.ent_type_, t.is_sent_start) for t in doc]
    return tokens, [(e.start, e.end, e.label_) for e in doc.ents]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(corpora, st.integers(1, 3))
def test_every_scheme_gives_the_same_docs(write, nlp, corpus, merge):
    docs = {}
    for scheme in NAMES:
        reading = read_columns(write(to_text(corpus, scheme)))
        docs[scheme] = [annotation(doc) for doc in make_docs(reading, nlp, merge)]
    assert all(found == docs["iob2"] for found in docs.values())


@settings(max_examples=150, deadline=None)
@given(layouts)
def test_entities_are_those_of_the_layout(layout):
    expected, start = [], 0
    for label, length in layout:
        if label not in ("", "-"):
            expected.append((start, start + length, label))
        start += length
    for name in NAMES:
        assert NOTATIONS[name].read(render(layout, name)) == expected


TAGS = ["O", "-", *(f"{prefix}-{label}" for prefix in "BIESLUMW" for label in LABELS), "??"]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8), min_size=1, max_size=3),
    st.sampled_from(["auto", *NAMES, "io"]),
)
def test_lenient_reads_any_tags_and_keeps_every_token(write, sentences, scheme):
    text = "\n\n".join("\n".join(f"w\t{tag}" for tag in tags) for tags in sentences)
    path = write(text)
    repairs = []
    reading = read_columns(path, scheme=scheme, repairs=repairs)
    assert [len(sentence.words) for sentence in reading] == [len(tags) for tags in sentences]
    if repairs:
        with pytest.raises(CorpusError):
            read_columns(path, scheme=scheme)
    else:
        assert read_columns(path, scheme=scheme) == reading
    lines = text.split("\n")
    for repair in repairs:
        assert lines[repair.line - 1] == f"w\t{repair.was}"
        lines[repair.line - 1] = f"w\t{repair.became}"
    known = reading.found.rpartition(" ")[2].lower()
    repaired = read_columns(write("\n".join(lines)), scheme=known)
    assert repaired.sentences == reading.sentences


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("B-X I-X O B-Y", IOB2),
        ("I-X I-X O I-Y", IOB1),
        ("I-X B-X O", IOB1),
        ("B-X E-X O", IOBES),
        ("S-X O", IOBES),
        ("B-X L-X O", BILUO),
        ("U-X O", BILUO),
        ("O O -", IOB2),
        ("B-X M-X E-X O S-X", BMES),
        ("B-X M-X E-X", BMES),
        ("B-X E-X W-X O", BMEWO),
        ("B-X O I-X", IOB2),  # no scheme fits: the first that fits best
        ("B-X O S-X B-X I-X E-X", IOBES),
        ("U-X U-X S-X", BILUO),
    ],
)
def test_scheme_is_found(tags, scheme):
    assert find_scheme([tags.split()]) is scheme


def test_whole_file_is_read_for_the_scheme(write):
    plain = "a\tB-X\nb\tO\n\n" * 50
    assert read_columns(write(plain)).found.endswith("IOB2")
    with pytest.raises(CorpusError, match="IOB2") as caught:
        read_columns(write(plain + "c\tO\nd\tI-X\n"))
    assert caught.value.line == 152
    singles = plain.replace("B-X", "S-X")
    assert read_columns(write(singles + "c\tB-X\nd\tE-X\n")).found.endswith("IOBES")


def test_forced_scheme(write):
    path = write("a\tO\nb\tI-X\n")
    assert read_columns(path).sentences[0].entities == [(1, 2, "X")]
    assert read_columns(path, scheme="iob1").sentences[0].entities == [(1, 2, "X")]
    for name in ("iob2", "bio"):
        with pytest.raises(CorpusError, match="impossible tag I-X in IOB2 after O"):
            read_columns(path, scheme=name)
    with pytest.raises(CorpusError, match=r"in IOBES .*possible: S-X"):
        read_columns(path, scheme="bioes")
    with pytest.raises(CorpusError, match=r"in BILUO .*possible: U-X"):
        read_columns(path, scheme="bilou")


def test_beginning_after_outside_is_impossible_in_iob1(write):
    with pytest.raises(CorpusError, match=r"impossible tag B-X in IOB1 .*possible: I-X"):
        read_columns(write("a\tO\nb\tB-X\n"), scheme="iob1")


def test_iob1_separates_touching_entities(write):
    [sentence] = read_columns(write("a\tI-X\nb\tB-X\nc\tI-X\nd\tI-Y\n"))
    assert sentence.entities == [(0, 1, "X"), (1, 3, "X"), (3, 4, "Y")]
