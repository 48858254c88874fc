import pytest
from eager import make_docs, pack_docs, read_columns
from spacy.tokens import DocBin
from spacy.training import Corpus

from spacy_hgn.corpora.settings import ReaderSettings

SENTENCES = """-DOCSTART- O

a B-X
b O

c B-X
d -

e O

-DOCSTART- O

f B-Y
g I-Y

h O
"""


@pytest.fixture
def sentences(write):
    return read_columns(write(SENTENCES)).sentences


def texts(docs):
    return [[token.text for token in doc] for doc in docs]


def test_one_sentence_a_doc(sentences, nlp):
    docs = list(make_docs(sentences, nlp))
    assert texts(docs) == [["a", "b"], ["c", "d"], ["e"], ["f", "g"], ["h"]]
    for doc in docs:
        assert [token.is_sent_start for token in doc] == [True] + [False] * (len(doc) - 1)


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        (2, ["abcd", "e", "fgh"]),
        (3, ["abcde", "fgh"]),
        (100, ["abcde", "fgh"]),
    ],
)
def test_merge_stays_within_documents(sentences, nlp, merge, expected):
    docs = list(make_docs(sentences, nlp, merge))
    assert ["".join(words) for words in texts(docs)] == expected
    assert [sent.text for doc in docs for sent in doc.sents] == ["a b", "c d", "e", "f g", "h"]


def test_merge_shifts_annotation(sentences, nlp):
    doc, _ = make_docs(sentences, nlp, 3)
    assert doc.text == "a b c d e "
    assert [(e.text, e.label_, e.start) for e in doc.ents] == [("a", "X", 0), ("c", "X", 2)]
    assert [token.ent_iob for token in doc] == [3, 2, 3, 0, 2]
    assert [token.is_sent_start for token in doc] == [True, False, True, False, True]


def test_docs_keep_their_tokens_in_training(sentences, nlp, tmp_path):
    docs = list(make_docs(sentences, nlp, 2))
    assert all(doc.has_unknown_spaces for doc in docs)
    pack_docs(docs).to_disk(tmp_path / "corpus.spacy")
    for example, doc in zip(Corpus(tmp_path)(nlp), docs, strict=True):
        assert [t.text for t in example.predicted] == [t.text for t in doc]


def test_files_keep_everything(sentences, nlp):
    docs = list(make_docs(sentences, nlp, 3))
    stored = DocBin().from_bytes(pack_docs(docs).to_bytes()).get_docs(nlp.vocab)
    for doc, copy in zip(docs, stored, strict=True):
        assert copy.text == doc.text
        assert [(e.start, e.end, e.label_) for e in copy.ents] == [
            (e.start, e.end, e.label_) for e in doc.ents
        ]
        for token, other in zip(doc, copy, strict=True):
            assert other.ent_iob == token.ent_iob
            assert other.is_sent_start == token.is_sent_start


def test_files_keep_odd_tokens(write, nlp):
    words = ["a\u00a0b", "\u00a0", "\u0085", "\u2028", "\ufeff", "\x00", "é", "e\u0301", "😀"]
    [doc] = make_docs(read_columns(write("".join(f"{word}\tO\n" for word in words))), nlp)
    [copy] = DocBin().from_bytes(pack_docs([doc]).to_bytes()).get_docs(nlp.vocab)
    assert [token.text for token in copy] == words


def test_training_sees_the_annotation(sentences, nlp, tmp_path):
    pack_docs(make_docs(sentences, nlp, 3)).to_disk(tmp_path / "corpus.spacy")
    first, second = Corpus(tmp_path / "corpus.spacy")(nlp)
    assert first.get_aligned_ner() == ["U-X", "O", "U-X", None, "O"]
    assert second.get_aligned_ner() == ["B-Y", "L-Y", "O"]
    assert [token.is_sent_start for token in second.reference] == [True, False, True]


def test_merge_below_one():
    with pytest.raises(ValueError, match="1 or more sentences per Doc, got 0"):
        ReaderSettings(merge=0)
