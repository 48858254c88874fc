import pytest
from corpus_samples import CONLL2003, TSV

from spacy_hgn.corpora.columns import read_columns
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus


def read(path, **settings):
    return read_columns(path, **settings).sentences


def test_two_columns(write):
    reading = read_columns(write(TSV))
    first, second = reading
    assert first.words == ["Ada", "saw", "New", "York"]
    assert first.entities == [(0, 1, "PER"), (2, 4, "LOC")]
    assert first.missing == []
    assert (second.words, second.entities) == (["Hi"], [])
    assert (first.starts_document, second.starts_document) == (True, False)
    assert reading.found == "split by tab, tag in column 2, IOB2"


def variants():
    data = TSV.encode()
    return {
        "BOM": b"\xef\xbb\xbf" + data,
        "CRLF": data.replace(b"\n", b"\r\n"),
        "BOM and CRLF": b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
        "no final newline": data.rstrip(b"\n"),
        "trailing blanks": data.replace(b"\n", b" \t \n"),
        "many blank lines": b"\n\n" + data.replace(b"\n\n", b"\n\n\n \n") + b"\n\n\n",
        "a lone tab between sentences": data.replace(b"\n\n", b"\n\t\n"),
        "blanks for tabs": data.replace(b"\t", b" "),
        "runs of blanks": data.replace(b"\t", b"   "),
        "leading blanks": data.replace(b"\t", b" ").replace(b"New", b"  New"),
    }


@pytest.mark.parametrize("variant", variants())
def test_variants_of_a_file_are_equal(write, variant):
    assert read(write(variants()[variant], "other")) == read(write(TSV))


@pytest.mark.parametrize(
    "odd", ["a\u00a0b", "\u00a0", "\u0085", "a\u2028b", "\x0b", "\ufeff", "日"]
)
def test_odd_characters_stay_in_their_tokens(write, odd):
    for tab in "\t ":
        [sentence] = read(write(f"x{tab}O\n{odd}{tab}B-X\n"))
        assert sentence.words == ["x", odd]
        assert sentence.entities == [(1, 2, "X")]


def test_tab_keeps_blanks_in_tokens(write):
    [sentence] = read(write("10 000\tB-NUM\nmen\tO\n"))
    assert sentence.words == ["10 000", "men"]


def test_forced_delimiter(write):
    path = write("a\tb O\nc\td B-X\n")
    assert read(path, delimiter="blank")[0].words == ["a", "c"]
    with pytest.raises(CorpusError, match=r"unknown tag 'b O'"):
        read(path, delimiter="tab")


def test_lines_with_one_tab_are_split_by_blanks_where_most_are(write):
    [sentence] = read(write("a O\nb\tB-X\nc I-X\n"))
    assert sentence.entities == [(1, 3, "X")]


@pytest.mark.parametrize("column", [2, -2])
def test_tag_in_another_column(write, column):
    [sentence] = read(write("Rome\tB-LOC\tNNP\nis\tO\tVBZ\n"), column=column)
    assert sentence.words == ["Rome", "is"]
    assert sentence.entities == [(0, 1, "LOC")]


def test_positive_column_allows_lines_of_any_width(write):
    [sentence] = read(write("Rome B-LOC x y\nis O\nold O z\n"), column=2)
    assert sentence.entities == [(0, 1, "LOC")]
    assert len(sentence.words) == 3


def test_column_that_no_line_has(write):
    path = write("\nRome B-LOC\nis O\n")
    with pytest.raises(CorpusError, match="expected at least 5 columns split by blank, got 2"):
        read(path, column=5)
    with pytest.raises(CorpusError, match="expected at least 5 columns"):
        read(path, column=-5)


def test_conll2003(write, nlp):
    path = write(CONLL2003, "eng.train")
    reading = read_columns(path)
    assert [sentence.words[0] for sentence in reading] == ["EU", "Peter", "LONDON"]
    assert [sentence.starts_document for sentence in reading] == [True, False, True]
    assert [sentence.entities for sentence in reading] == [
        [(0, 1, "ORG"), (2, 3, "MISC")],
        [(0, 2, "PER")],
        [(0, 1, "LOC")],
    ]
    corpus = read_corpus(path, nlp)
    assert corpus.found == "conll2003, split by blank, tag in column 4, IOB1"
    assert "-DOCSTART-" not in {token.text for doc in corpus.docs for token in doc}


def test_docstart_inside_a_block_ends_the_sentence(write):
    first, second = read(write("a O\nb B-X\n-DOCSTART- O\nc O\n"))
    assert (first.words, second.words) == (["a", "b"], ["c"])
    assert second.starts_document


def test_tabs_in_docstart_lines(write):
    [sentence] = read(write("-DOCSTART-\tO\n\na\tO\n"))
    assert sentence.words == ["a"]


def test_hyphen_is_a_missing_tag(write):
    [sentence] = read(write("a\t-\nb\tB-X\nc\t-\nd\tO\n"))
    assert sentence.missing == [0, 2]
    assert sentence.entities == [(1, 2, "X")]


def test_labels_may_have_hyphens(write):
    [sentence] = read(write("a\tB-geo-loc\nb\tI-geo-loc\nc\tB-creative-work\n"))
    assert sentence.entities == [(0, 2, "geo-loc"), (2, 3, "creative-work")]


BAD = {
    "too few columns": ("a\tO\n\nb\tO\nLondon\n", 4, "London", "expected 2 columns"),
    "too many columns": ("a O\nNew York B-LOC\nb O\n", 2, "New York B-LOC", "expected 2 columns"),
    "no tag after the tab": ("a\tO\nb\tO\nc\t\n", 3, "c\t", "got 1"),
    "empty token": ("a\tO\n\tB-X\n", 2, "\tB-X", "missing token"),
    "missing token": ("a O\nb O\n B-X\n", 3, " B-X", "expected 2 columns"),
    "blank token": ("a\tO\n \tB-X\n", 2, " \tB-X", "missing token"),
    "unknown tag": ("a\tO\nb\tNNP\n", 2, "b\tNNP", "unknown tag 'NNP'"),
    "label first": ("a\tO\nb\tPER-B\n", 2, "b\tPER-B", "unknown tag 'PER-B'"),
    "no label": ("a\tO\nb\tB-\n", 2, "b\tB-", "unknown tag 'B-'"),
    "lower case": ("a\to\nb\tO\n", 1, "a\to", "unknown tag 'o'"),
    "inside without a beginning": (
        *("a\tB-X\nb\tO\nc\tI-X\n", 3, "c\tI-X"),
        r"impossible tag I-X in IOB2 after O and at the end \(possible: B-X\)",
    ),
    "inside of another label": ("a\tB-X\nb\tI-Y\n", 2, "b\tI-Y", "impossible tag I-Y in IOB2"),
    "inside after a missing tag": ("a\tB-X\nb\t-\nc\tI-X\n", 3, "c\tI-X", "after -"),
    "inside in the next sentence": ("a\tB-X\n\nb\tI-X\n", 3, "b\tI-X", "at the beginning"),
    "unfinished before O": (
        *("a\tS-X\nb\tB-X\nc\tO\n", 2, "b\tB-X"),
        r"impossible tag B-X in IOBES after S-X and before O \(possible: S-X\)",
    ),
    "unfinished at the end": (
        *("x\tU-X\na\tB-X\nb\tI-X\n\nc\tO\n", 3, "b\tI-X"),
        r"impossible tag I-X in BILUO .*at the end \(possible: L-X\)",
    ),
    "end without a beginning": ("a\tS-X\nb\tE-X\n", 2, "b\tE-X", "impossible tag E-X in IOBES"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_lines_are_errors(write, case):
    content, number, text, problem = BAD[case]
    path = write(content)
    with pytest.raises(CorpusError, match=problem) as caught:
        read_columns(path)
    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.path, error.line, error.text) == (path, number, text)
    assert str(error).startswith(f"{path}:{number}: ")
    assert str(error).endswith(repr(text))


def test_bad_line_after_crlf_and_bom(write):
    path = write(b"\xef\xbb\xbfa\tO\r\nb\tXX\r\n")
    with pytest.raises(CorpusError) as caught:
        read_columns(path)
    assert (caught.value.line, caught.value.text) == (2, "b\tXX")


LENIENT = {
    "too few columns": ("a\tB-X\nb\nc\tI-X\n", "a b c", [(0, 1, "X"), (2, 3, "X")], [1], 2),
    "too many columns": ("a B-X\nb c I-X\nd O\n", "a b d", [(0, 1, "X")], [1], 1),
    "unknown tag": ("a\tB-X\nb\t??\nc\tO\n", "a b c", [(0, 1, "X")], [1], 1),
    "inside begins": (
        "a\tB-X\nb\tO\nc\tI-X\nd\tI-X\n",
        "a b c d",
        [(0, 1, "X"), (2, 4, "X")],
        [],
        1,
    ),
    "label changes": ("a\tB-X\nb\tI-Y\n", "a b", [(0, 1, "X"), (1, 2, "Y")], [], 1),
    "unfinished": (
        *("a\tS-X\nb\tB-X\nc\tI-X\nd\tO\n", "a b c d"),
        *([(0, 1, "X"), (1, 3, "X")], [], 1),
    ),
    "no token": ("a\tO\n\tB-X\nb\tI-X\n", "a b", [(1, 2, "X")], [], 2),
}


@pytest.mark.parametrize("case", LENIENT)
def test_lenient_repairs(write, case):
    content, words, entities, missing, n_repairs = LENIENT[case]
    repairs = []
    scheme = "iob2" if "S-X" not in content else "iobes"
    [sentence] = read_columns(write(content), scheme=scheme, repairs=repairs)
    assert sentence.words == words.split()
    assert sentence.entities == entities
    assert sentence.missing == missing
    assert len(repairs) == n_repairs


def test_repairs_tell_what_was_and_what_became(write):
    path = write("a\tB-X\nb\n\nc\tO\nd\tI-X\ne\tzz\n")
    repairs = []
    read_columns(path, scheme="iob2", repairs=repairs)
    assert {repair.file for repair in repairs} == {str(path)}
    told = sorted((repair.line, repair.was, repair.became) for repair in repairs)
    assert told == [(2, "b", "b -"), (5, "I-X", "B-X"), (6, "zz", "-")]


def test_valid_file_needs_no_repairs(write):
    repairs = []
    assert read(write(TSV), repairs=repairs) == read(write(TSV))
    assert repairs == []


def test_not_utf8(write):
    path = write(b"a\tO\nb\tO\ncaf\xe9\tO\n")
    problem = "expected UTF-8, got byte 0xe9 at position 11"
    with pytest.raises(CorpusError, match=problem) as caught:
        read_columns(path)
    assert caught.value.line == 3
    assert str(path) in str(caught.value)
    with pytest.raises(CorpusError, match="got byte 0xff at position 0"):
        read_columns(write("a\tO\n".encode("utf-16")))


def test_position_counts_the_byte_order_mark(write):
    with pytest.raises(CorpusError, match="at position 3"):
        read_columns(write(b"\xef\xbb\xbf\xe9\tO\n"))


def test_line_ends_of_old_macs(write):
    with pytest.raises(CorpusError, match="expected lines that end in"):
        read_columns(write("a\tO\rb\tO\r"))


@pytest.mark.parametrize("content", ["", "\n\n \t\n", "-DOCSTART- -X- -X- O\n\n", b"\xef\xbb\xbf"])
def test_no_sentences(write, nlp, content):
    path = write(content)
    assert len(read_columns(path)) == 0
    with pytest.raises(CorpusError, match="expected sentences, got none") as caught:
        read_corpus(path, nlp)
    assert caught.value.path == path


def test_one_column_alone(write):
    with pytest.raises(CorpusError, match="expected at least 2 columns") as caught:
        read_columns(write("just\nwords\n"), repairs=[])
    assert caught.value.line == 1


@pytest.mark.parametrize(
    "settings", [{"delimiter": "comma"}, {"scheme": "iob3"}, {"column": 0}, {"column": 1}]
)
def test_unknown_settings(write, settings):
    with pytest.raises(ValueError, match="expected"):
        read_columns(write(TSV), **settings)


def test_long_lines_are_shortened_in_the_message_only(write):
    text = "x" * 1000
    with pytest.raises(CorpusError) as caught:
        read_columns(write(f"a\tO\nb\tO\n{text}\n"))
    assert caught.value.text == text
    assert len(str(caught.value)) < 600
