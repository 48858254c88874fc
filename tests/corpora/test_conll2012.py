import pytest
from corpus_samples import OTHER, SAMPLE
from eager import read_conll2012
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import guess_format, read_corpus
from spacy_hgn.corpora.stats import count


def row(word, name, *, number=0):
    return f"x/y 0 {number} {word} NN * - - - - {name} -\n"


def document(*names):
    rows = "".join(row(f"w{i}", name, number=i) for i, name in enumerate(names))
    return f"#begin document (x/y); part 000\n{rows}\n#end document\n"


def test_sample(write):
    first, second, third = read_conll2012(write(SAMPLE, "own_0001.v4_gold_conll"))
    assert first.words == ["Maria", "Stuarda", "Lopez", "saw", "Rome", ",", "uh", "Oslo", "."]
    assert first.entities == [(0, 3, "PERSON"), (4, 5, "GPE"), (7, 8, "GPE")]
    assert second.words == ["%pw", "today"]
    assert second.entities == [(1, 2, "DATE")]
    assert (third.words, third.entities) == (["Thanks"], [])
    assert [s.starts_document for s in (first, second, third)] == [True, False, True]
    assert first.missing == second.missing == third.missing == []


def test_parts_are_documents(write, nlp):
    path = write(SAMPLE + OTHER, "all")
    corpus = read_corpus(path, nlp, merge=5)
    assert count(corpus.docs).sentences == 4
    assert [doc[0].text for doc in corpus.docs] == ["Maria", "Thanks", "Acme"]
    assert [len(list(doc.sents)) for doc in corpus.docs] == [2, 1, 1]


@pytest.mark.parametrize(
    "change", [("\n", "\r\n"), ("   ", "\t"), ("\n", "  \n"), ("-\n\n", "-\n")]
)
def test_variants_are_equal(write, change):
    sample = OTHER + SAMPLE.split("\n\n")[-2] + "\n\n#end document"
    old, new = change
    assert (
        read_conll2012(write(sample.replace(old, new))).sentences
        == read_conll2012(write(sample)).sentences
    )


def test_byte_order_mark(write):
    expected = read_conll2012(write(SAMPLE)).sentences
    path = write(b"\xef\xbb\xbf" + SAMPLE.encode())
    assert guess_format(path) == "conll2012"
    assert read_conll2012(path).sentences == expected


def test_touching_entities(write):
    [sentence] = read_conll2012(write(document("(A)", "(A*", "*)", "(B*", "*", "*)")))
    assert sentence.entities == [(0, 1, "A"), (1, 3, "A"), (3, 6, "B")]


def test_hyphen_is_missing(write):
    [sentence] = read_conll2012(write(document("-", "(A)", "-")))
    assert sentence.missing == [0, 2]


def test_new_testament_of_ontonotes_has_no_names_to_learn_from(write, nlp):
    sample = document("*", "*").replace("x/y", "pt/nt/40/nt_4001")
    [sentence] = read_conll2012(write(sample))
    assert sentence.missing == [0, 1]
    assert read_corpus(write(sample), nlp).found.endswith("not annotated in pt/nt/")
    [named] = read_conll2012(write(sample.replace(" * -\n", " (A) -\n", 1)))
    assert (named.missing, named.entities) == ([], [(0, 1, "A")])


BAD = {
    "unknown cell": (document("*", "PERSON"), 3, "unknown tag 'PERSON'"),
    "nested": (document("(A(B)", "*)"), 2, r"unknown tag '\(A\(B\)'"),
    "closed twice": (document("(A*", "*))"), 3, r"unknown tag '\*\)\)'"),
    "no label": (document("(*", "*)"), 2, r"unknown tag '\(\*'"),
    "closed without opening": (document("*", "*)"), 3, r"impossible tag \*\) in CoNLL-2012"),
    "open at the end": (document("(A*", "*"), 3, r"impossible tag \* .*possible: \*\)\)"),
    "opened within another": (document("(A*", "*", "(B)", "*)"), 3, r"impossible tag \*"),
    "open before a missing tag": (document("(A*", "-", "*)"), 2, r"possible: \(A\)\)"),
    "too few columns": ("#begin document\nx 0 0 w NN\n\n#end document\n", 2, "expected 12 columns"),
    "a cell too many": (document("*", "*", "* *"), 4, "expected 12 columns, got 13"),
    "skeleton": (document("*").replace("w0", "[WORD]"), 2, r"expected a word, got \[WORD\]"),
    "cut off": (document("*").replace("#end document\n", ""), 3, "expected #end document after"),
    "document in a document": (
        *(document("*").replace("#end document\n", "") + document("*"), 4),
        "expected #end document before",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_lines_are_errors(write, case):
    content, number, problem = BAD[case]
    path = write(content)
    with pytest.raises(CorpusError, match=problem) as caught:
        read_conll2012(path)
    text = content.split("\n")[number - 1]
    assert (caught.value.line, caught.value.text) == (number, text)
    assert str(caught.value).startswith(f"{path}:{number}: ")
    assert str(caught.value).endswith(repr(text))


@pytest.mark.parametrize(
    ("names", "entities", "missing"),
    [
        (["*", "*)"], [], []),
        (["(A*", "*"], [(0, 2, "A")], []),
        (["(A*", "*", "(B)", "*)"], [(0, 2, "A"), (2, 3, "B")], []),
        (["(A*", "??", "*)"], [], [0, 1, 2]),
        (["*", "??", "*", "*)", "*"], [], [1, 2, 3]),
        (["(A)", "??", "*", "(B)"], [(0, 1, "A"), (3, 4, "B")], [1]),
        (["(A)", "* *", "(B)"], [(0, 1, "A"), (2, 3, "B")], [1]),
    ],
)
def test_lenient_repairs(write, names, entities, missing):
    repairs = []
    [sentence] = read_conll2012(write(document(*names)), repairs=repairs)
    assert len(sentence.words) == len(names)
    assert sentence.entities == entities
    assert sentence.missing == missing
    assert repairs


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["*", "*)", "(A*", "(B*", "(A)", "-", "??"]), min_size=1))
def test_lenient_reads_any_cells_and_makes_them_valid(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("cells") / "x_gold_conll"
    path.write_text(document(*names))
    repairs = []
    [sentence] = read_conll2012(path, repairs=repairs)
    assert len(sentence.words) == len(names)
    repaired = dict(enumerate(names))
    for repair in repairs:
        assert repaired[repair.line - 2] == repair.was
        repaired[repair.line - 2] = repair.became
    path.write_text(document(*repaired.values()))
    assert read_conll2012(path).sentences == [sentence]


def test_lenient_reads_a_file_that_was_cut_off(write):
    repairs = []
    assert len(read_conll2012(write(SAMPLE[: SAMPLE.rindex("#end")]), repairs=repairs)) == 3
    assert [repair.problem for repair in repairs] == ["expected #end document after it"]
