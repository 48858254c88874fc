import pytest
from corpus_samples import TEXT
from eager import entities_of

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus

FOUND = [("Ada Lovelace", "PERSON"), ("London", "GPE")]
ENTITIES = "T1\tPERSON 0 12\tAda Lovelace\nT2\tGPE 22 28\tLondon\n"


@pytest.fixture
def read(write, nlp):
    def read_pair(annotation, text=TEXT, name="a.ann", **settings):
        write(text, "a.txt")
        path = write(annotation, "a.ann")
        return read_corpus(path.with_name(name), nlp, **settings)

    return read_pair


@pytest.mark.parametrize("name", ["a.ann", "a.txt"])
def test_a_text_and_its_annotation(read, name):
    corpus = read(ENTITIES, name=name)
    assert corpus.found == "brat"
    assert entities_of(corpus.docs[0]) == FOUND


def test_a_text_without_entities(read):
    [doc] = read("").docs
    assert [token.ent_iob for token in doc] == [2] * 6


def test_line_ends_count(read):
    [doc] = read("T1\tX 4 6\tBo\n", "Hi\r\nBo left.\r\n").docs
    assert entities_of(doc) == [("Bo", "X")]


def test_a_quote_has_a_blank_for_a_line_end(read):
    [doc] = read("T1\tX 0 5\tAda B\n", "Ada\nB left").docs
    assert entities_of(doc) == [("Ada\nB", "X")]


def test_what_else_is_annotated_is_passed_over_and_counted(read):
    others = "R1\tLivedIn Arg1:T1 Arg2:T2\nA1\tNegation T1\n#1\tAnnotatorNotes T1\tsure\n"
    others += "N1\tReference T1 Wikipedia:1\tAda\n*\tEquiv T1 T2\n"
    events = "T3\tLiving 13 18\tlived\nE1\tLiving:T3 Who:T1\n"
    corpus = read(ENTITIES + others + events)
    assert entities_of(corpus.docs[0]) == FOUND
    assert corpus.counts == {
        **dict.fromkeys(["relations, passed over", "attributes, passed over"], 1),
        **dict.fromkeys(["notes, passed over", "normalizations, passed over"], 1),
        **dict.fromkeys(["equivalences, passed over", "events, passed over"], 1),
        "event triggers, left out": 1,
    }


def test_spans_in_several_parts_are_refused_or_reported(read):
    split = "T3\tX 13 18;22 28\tlived London\n"
    with pytest.raises(CorpusError, match=r"span 13 18;22 28 \(X\) has several parts") as caught:
        read(ENTITIES + split)
    assert caught.value.line == 3
    repairs = []
    [doc] = read("T1\tPERSON 0 12\tAda Lovelace\n" + split, repairs=repairs).docs
    assert entities_of(doc) == FOUND[:1]
    assert [token.ent_iob for token in doc] == [3, 1, 0, 0, 0, 2]
    assert [(repair.line, repair.became) for repair in repairs] == [(2, "missing")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("T3\tX 13 18\tlives", "span 13-18 'lived' .* doesn't match its text, 'lives'"),
        ("T3\tX 14 18\tived", "misaligned span 14-18"),
        ("T3\tX 4 12\tLovelace", "overlaps an earlier one"),
        ("T3\tX 28 99\tx", "isn't in the text"),
        ("T3 X 13 18 lived", "expected one of entities"),
        ("T3\tX thirteen 18\tlived", "expected one of entities"),
        ("X1\tfoo", "expected one of entities"),
        ("what", "expected one of entities"),
    ],
)
def test_bad_lines_are_errors(read, line, problem):
    with pytest.raises(CorpusError, match=problem) as caught:
        read(f"{ENTITIES}\n{line}\n")
    assert (caught.value.line, caught.value.text) == (4, line)
    assert caught.value.path.name == "a.ann"


def test_a_file_without_the_other(write, nlp):
    with pytest.raises(CorpusError, match=r"expected a\.txt beside it"):
        read_corpus(write(ENTITIES, "a.ann"), nlp)
