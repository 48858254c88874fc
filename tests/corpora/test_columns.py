import pytest
from corpus_samples import CONLL2003, TSV
from eager import read_columns
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_hgn.corpora import columns
from spacy_hgn.corpora.errors import CorpusError
from spacy_hgn.corpora.formats import read_corpus
from spacy_hgn.corpora.reading import Task
from spacy_hgn.corpora.schemes import NOTATIONS
from spacy_hgn.corpora.settings import ReaderSettings


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
    "too few columns": ("a\tB-X\nb\nc\tI-X\n", "a b c", [], [0, 1, 2], 3),
    "too many columns": ("a B-X\nb c I-X\nd O\n", "a b d", [], [0, 1], 2),
    "unknown tag": ("a\tB-X\nb\t??\nc\tO\n", "a b c", [], [0, 1], 2),
    "unknown tag beside whole entities": (
        *("a\tS-X\nb\t??\nc\tB-X\nd\tE-X\n", "a b c d"),
        *([(0, 1, "X"), (2, 4, "X")], [1], 1),
    ),
    "unknown tag in an entity": (
        *("a\tB-X\nb\t??\nc\tE-X\nd\tS-X\n", "a b c d"),
        *([(3, 4, "X")], [0, 1, 2], 3),
    ),
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
    assert told == [
        (1, "B-X", "-"),
        (2, "b", "b -"),
        (5, "I-X", "-"),
        (6, "zz", "-"),
    ]


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
    "chosen",
    [
        {"delimiter": "comma"},
        {"scheme": "iob3"},
        {"column": 0},
        {"column": 1},
        {"token_column": 0},
        {"column": 2, "token_column": 2},
        {"merge": 0},
    ],
)
def test_unknown_settings(write, chosen):
    with pytest.raises(ValueError, match=r"expected|Expected"):
        read_columns(write(TSV), **chosen)


def test_long_lines_are_shortened_in_the_message_only(write):
    text = "x" * 1000
    with pytest.raises(CorpusError) as caught:
        read_columns(write(f"a\tO\nb\tO\n{text}\n"))
    assert caught.value.text == text
    assert len(str(caught.value)) < 600


NUMBERED = "1\tNora\tB-PER\t-\tx\n2\tworks\tO\n3\tat\tO\n4\tAcme\tB-ORG\n\n1\tShe\tO\n2\tleft\tO\n"
TAGS_FIRST = "B-PER Nora\nO left\n\nO Hi\n"
COMMENTED = (
    "# id 9f2c domain=en\nnora _ _ B-PER\nworks _ _ O\nat _ _ O\nacme _ _ B-CORP\n\n"
    "# id 77aa domain=en\nshe _ _ O\nleft _ _ O\n"
)


def test_numbers_that_count_up_are_no_words(write):
    path = write(NUMBERED)
    for repairs in (None, []):
        with pytest.raises(CorpusError, match=r"numbers that count up.*--token-column 2") as caught:
            read_columns(path, column=3, repairs=repairs)
        assert caught.value.line == 1
    first, second = reading = read_columns(path, column=3, token_column=2)
    assert first.words == ["Nora", "works", "at", "Acme"]
    assert first.entities == [(0, 1, "PER"), (3, 4, "ORG")]
    assert second.words == ["She", "left"]
    assert reading.found == "split by tab, token in column 2, tag in column 3, IOB2"


@pytest.mark.parametrize("cells", ["1 1 2 2", "s1 s1 s2 s2", "doc doc doc doc", "0 5 0 3"])
def test_places_of_tokens_are_no_words(write, cells):
    """The sentence's number or name, the document's, or the token's first character."""
    one, two, three, four = cells.split()
    path = write(f"{one}\tNora\tB-PER\n{two}\tworks\tO\n\n{three}\tShe\tO\n{four}\tleft\tO\n")
    with pytest.raises(CorpusError, match="the words are numbers that count up, or the same"):
        read_columns(path)
    first, _ = read(path, token_column=2)
    assert (first.words, first.entities) == (["Nora", "works"], [(0, 1, "PER")])


def test_numbers_are_words_where_that_is_said_or_they_do_not_count_up(write):
    assert read(write(NUMBERED), column=3, token_column=1)[1].words == ["1", "2"]
    assert read(write("1\tO\n\n2\tO\n3\tO\n4\tO\nx\tO\n"))[1].words == ["2", "3", "4", "x"]


@pytest.mark.parametrize("row", ["2-3", "2.1"])
def test_rows_of_several_tokens_or_none_are_refused(write, row):
    path = write(f"1\tA\tO\n{row}\tdel\tO\n2\tde\tO\n3\tel\tO\n")
    with pytest.raises(CorpusError, match=f"row {row} isn't one token"):
        read_columns(path, token_column=2)
    [sentence] = read(path, token_column=2, repairs=[])
    assert sentence.words == ["A", "de", "el"]
    with pytest.raises(CorpusError, match="numbers that count up"):
        read_columns(path)


def test_tag_first(write):
    path = write(TAGS_FIRST)
    for repairs in (None, []):
        with pytest.raises(CorpusError, match=r"the words are tags.*--token-column 2 --column 1"):
            read_columns(path, repairs=repairs)
    first, _ = read(path, token_column=2, column=1)
    assert (first.words, first.entities) == (["Nora", "left"], [(0, 1, "PER")])


@pytest.mark.parametrize(("token", "tag"), [(-1, 1), (2, -2)])
def test_columns_from_the_end(write, token, tag):
    assert read(write(TAGS_FIRST), token_column=token, column=tag)[0].words == ["Nora", "left"]


def test_token_and_tag_in_one_column(write):
    with pytest.raises(CorpusError, match="token and tag would both be column 2 of 2"):
        read_columns(write(TAGS_FIRST), token_column=2)


@pytest.mark.parametrize("comments", [False, True])
def test_comments_before_each_sentence_are_passed_over(write, comments):
    task = Task(None, ReaderSettings(comments=comments))
    first, second = columns.read_columns(write(COMMENTED), task)[1]
    assert first.words == ["nora", "works", "at", "acme"]
    assert first.entities == [(0, 1, "PER"), (3, 4, "CORP")]
    assert second.words == ["she", "left"]
    assert task.counts == {"comments, passed over": 2}


def test_comments_of_conllu(write):
    text = (
        "# newdoc\n# text = A b\n1\tA\tO\n2\tb\tO\n\n# text = C d\n1\tC\tB-X\n2\td\tO\n\n# newdoc\n"
    )
    text += "\n# text = E\n1\tE\tO\n\n# the end\n"
    reading = read(write(text), comments=True, token_column=2)
    assert [sentence.words for sentence in reading] == [["A", "b"], ["C", "d"], ["E"]]
    assert [sentence.starts_document for sentence in reading] == [True, False, True]


def test_hashtags_are_words(write):
    text = "#win\tB-X\nit\tO\n\n#\tO\n1\tO\n"
    assert [sentence.words[0] for sentence in read(write(text))] == ["#win", "#"]
    assert read(write(text.split("\n\n")[0]), comments=True)[0].words == ["#win", "it"]
    with pytest.raises(CorpusError, match="it may be a comment or the token #"):
        read(write(text), comments=True)


def test_one_comment_is_a_bad_line_with_advice(write):
    path = write(TSV + "\n# a note\na\tO\n")
    with pytest.raises(CorpusError, match=r"got 1\. If it is a comment.*--comments") as caught:
        read_columns(path)
    assert caught.value.line == 8
    assert caught.value.can_be_repaired
    assert len(read(path, comments=True)) == 3


def test_labels_without_prefixes_have_to_be_named(write):
    path = write("Ada\tPER\nLee\tPER\nsaw\tO\nRome\tLOC\nx\t-\n")
    with pytest.raises(CorpusError, match=r"unknown tag 'PER'.*scheme io"):
        read_columns(path)
    reading = read_columns(path, scheme="io")
    assert reading.sentences[0].entities == [(0, 2, "PER"), (3, 4, "LOC")]
    assert reading.sentences[0].missing == [4]
    assert reading.found.endswith("IO")


@pytest.mark.parametrize("tag", ["B-PER", "_", "", "a\u200b"])
def test_what_is_no_label_is_none_under_io(write, tag):
    path = write(f"Ada\tPER\tx\nLee\t{tag}\tx\n")
    with pytest.raises(CorpusError, match="unknown tag"):
        read_columns(path, column=2, scheme="io")
    [sentence] = read(path, column=2, scheme="io", repairs=[])
    assert (sentence.entities, sentence.missing) == ([], [0, 1])


cells = st.sampled_from(["O", "B-X", "I-X", "E-X", "S-X", "M-X", "Z-X", "PER", "??", "-"])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(cells, min_size=1, max_size=8), st.sampled_from(["iob2", "iobes", "bmes", "io"]))
def test_no_entity_hangs_on_a_tag_that_is_not_known(write, tags, scheme):
    """Whatever the tags were that can't be read, the entities that are read would be there."""
    path = write("".join(f"w\t{tag}\n" for tag in tags))
    notation = NOTATIONS[scheme]
    [sentence] = read(path, scheme=scheme, token_column=1, repairs=[])
    unknown = [i for i, tag in enumerate(tags) if tag != "-" and not notation.knows(tag)]
    assert set(unknown) <= set(sentence.missing)
    for guess in ("O", "B-X", "I-X", "X"):
        if notation.knows(guess):
            guessed = [guess if i in unknown else tag for i, tag in enumerate(tags)]
            assert set(sentence.entities) <= set(notation.read(guessed))
