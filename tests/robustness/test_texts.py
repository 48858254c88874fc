"""Any text gets an answer of its own length, or an error that says why not."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from .hard_texts import PIECES, docs, merges, texts
from .helpers import PIPELINES
from .trying import tally, tries

pytestmark = pytest.mark.slow


def assert_whole(nlp: Language, doc: Doc) -> None:
    """The Doc's answer: probabilities for each token, entities that may be, their scores."""
    ner = nlp.get_pipe("hgn_ner")
    (probabilities,) = ner.predict([doc])
    assert probabilities.shape == (len(doc), len(ner.tag_set))
    numpy.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-3)
    found = [entity for entity in doc.ents if entity.label_ != "KNOWN"]
    for entity in found:
        assert entity.label_ in ner.labels
        assert not entity[0].is_space
        assert not entity[-1].is_space
        assert not any(token.is_sent_start for token in entity[1:])
        assert 0 <= entity._.score <= 1
    group = doc.spans["hgn_ner"]
    assert list(group) == found
    assert len(group.attrs["scores"]) == len(found)


def entities_of(doc: Doc) -> list[tuple[int, int, str]]:
    return [(entity.start, entity.end, entity.label_) for entity in doc.ents]


def merge(doc: Doc, spans: list[tuple[int, int]]) -> None:
    with doc.retokenize() as retokenizer:
        for start, end in spans:
            retokenizer.merge(doc[start:end])


@tries()
@given(batch=st.lists(texts, min_size=1, max_size=4))
def test_any_text_gets_a_whole_answer_alike_alone_and_in_a_batch(nlp, batch):
    together = list(nlp.pipe(batch))
    for text, doc in zip(batch, together, strict=True):
        assert doc.text == text
        assert_whole(nlp, doc)
        alone = nlp(text)
        assert entities_of(alone) == entities_of(doc)
        scores = [[entity._.score for entity in each.ents] for each in (alone, doc)]
        numpy.testing.assert_allclose(*scores, atol=1e-4)
        tally("texts", "answered, alike alone and in a batch")


@tries()
@given(data=st.data())
def test_any_tokens_get_a_whole_answer(nlp, data):
    doc = data.draw(docs(nlp.vocab))
    words, known = [token.text for token in doc], doc.ents[:1]
    doc = nlp(doc)
    assert [token.text for token in doc] == words
    assert doc.ents[: len(known)] == known
    assert_whole(nlp, doc)
    tally("Docs of any tokens, sentences, entities and blocked tokens", "answered")


@tries()
@given(data=st.data(), text=texts)
def test_a_retokenized_doc_gets_a_whole_answer(nlp, data, text):
    doc = nlp(text, disable=["hgn_ner"])
    spans = data.draw(merges(len(doc)))
    merge(doc, spans)
    if spans:
        with pytest.raises(ValueError, match="merged or split since"):
            nlp.get_pipe("hgn_ner")(doc)
        tally("Docs retokenized between transformer and hgn_ner", "refused")
    doc = nlp.get_pipe("hgn_ner")(nlp.get_pipe("transformer")(doc))
    assert_whole(nlp, doc)
    tally("Docs retokenized before the transformer", "answered")


@tries()
@given(data=st.data(), text=texts)
def test_a_doc_retokenized_afterwards_keeps_the_scores_of_what_is_left(nlp, data, text):
    doc = nlp(text)
    before = {(entity.text, entity.label_, entity._.score) for entity in doc.ents}
    merge(doc, data.draw(merges(len(doc))))
    for entity in doc.ents:  # spaCy makes one entity of two that are merged into a token
        found = entity.text, entity.label_, entity._.score
        assert found in before or entity._.score is None
    tally("Docs retokenized behind hgn_ner", "kept entities and scores")


@pytest.mark.slow
@pytest.mark.parametrize("nlp", PIPELINES[:1], ids="-".join, indirect=True)
@pytest.mark.parametrize("n_tokens", [0, 1, 2, 2047, 2048, 2049, 50_000])
def test_a_doc_of_any_length_gets_a_whole_answer(nlp, n_tokens):
    words = (PIECES * (n_tokens // len(PIECES) + 1))[:n_tokens]
    doc = nlp(Doc(nlp.vocab, words=words))
    assert_whole(nlp, doc)
    tally("Docs of 0 to 50,000 tokens", "answered")


@pytest.mark.parametrize("text", ["", " ", "\n\n \t", "\u200b" * 500, "a" * 50_000, "\x00" * 300])
def test_a_text_of_one_thing_gets_a_whole_answer(nlp, text):
    doc = nlp(text)
    assert doc.text == text
    assert_whole(nlp, doc)
    tally("texts of one thing", "answered")


@pytest.mark.parametrize(
    ("text", "reason"), [("half \ud83d of a pair", "surrogates"), ("a " * 500_001, "E088")]
)
def test_what_no_doc_can_hold_is_refused(nlp, text, reason):
    with pytest.raises(ValueError, match=reason):
        nlp(text)
    tally("texts that spaCy refuses", "refused")
