"""Entities and blocked tokens that are on the Doc before or come after."""

import numpy
from spacy.tokens import Doc, Span

from .helpers import TEXTS, random_scores

RULES = [
    {"label": "FRUIT", "pattern": "Apple", "id": "apple-1"},
    {"label": "PERSON", "pattern": "Cook runs", "id": "cook-1"},
]


def described(doc: Doc) -> list[tuple[str, str, str]]:
    return [(ent.text, ent.label_, ent.ent_id_) for ent in doc.ents]


def test_entities_of_a_ruler_before_are_kept(nlp):
    nlp.add_pipe("entity_ruler", before="hgn_ner").add_patterns(RULES)
    doc = nlp(TEXTS[0])
    found = described(doc)
    assert ("Apple", "FRUIT", "apple-1") in found
    assert ("Cook runs", "PERSON", "cook-1") in found
    assert ("Cupertino", "GPE", "") in found
    assert "FRUIT" not in nlp.get_pipe("hgn_ner").labels


def test_a_ruler_after_overwrites_where_it_is_told_to(nlp):
    nlp.add_pipe("entity_ruler", config={"overwrite_ents": True}).add_patterns(RULES[:1])
    assert described(nlp(TEXTS[0])) == [
        ("Tim Cook", "PERSON", ""),
        ("Apple", "FRUIT", "apple-1"),
        ("Cupertino", "GPE", ""),
    ]


def test_a_ruler_after_fills_gaps_otherwise(nlp):
    patterns = [*RULES, {"label": "VERB", "pattern": "from"}]
    nlp.add_pipe("entity_ruler").add_patterns(patterns)
    assert [ent.label_ for ent in nlp(TEXTS[0]).ents] == ["PERSON", "ORG", "VERB", "GPE"]


def test_ids_of_entities_are_kept(nlp):
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([Span(doc, 3, 4, label="FRUIT", kb_id="Q89", span_id="s1")], default="missing")
    doc = nlp(doc)
    apple = doc.ents[1]
    assert (apple.text, apple.label_, apple.kb_id_, apple.ent_id_) == (
        "Apple",
        "FRUIT",
        "Q89",
        "s1",
    )
    assert [ent.label_ for ent in doc.ents] == ["PERSON", "FRUIT", "GPE"]


def test_blocked_tokens_stay_blocked(nlp):
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([], blocked=[doc[3:4]], default="missing")
    doc = nlp(doc)
    assert [ent.text for ent in doc.ents] == ["Tim Cook", "Cupertino"]
    assert (doc[3].ent_iob_, doc[3].ent_type) == ("B", 0)
    assert doc[2].ent_iob_ == "O"


def test_entities_do_not_go_across_blocked_tokens(nlp):
    doc = nlp.make_doc(TEXTS[1])
    york = doc[5:6]
    assert york.text == "York"
    doc.set_ents([], blocked=[york], default="missing")
    assert not any(york.start in range(ent.start, ent.end) for ent in nlp(doc).ents)


def test_tokens_that_were_outside_may_become_entities(nlp):
    doc = nlp.make_doc(TEXTS[0])
    doc.set_ents([], default="outside")
    assert [ent.label_ for ent in nlp(doc).ents] == ["PERSON", "ORG", "GPE"]


def test_the_second_time_changes_nothing(nlp):
    once = described(nlp(TEXTS[0]))
    assert described(nlp(nlp(TEXTS[0]))) == once


def test_nothing_overlaps_whatever_is_predicted(guessing_nlp):
    ner = guessing_nlp.get_pipe("hgn_ner")
    rng = numpy.random.default_rng(0)
    for seed in range(30):
        doc = Doc(guessing_nlp.vocab, words=list("abcdefghij"))
        start = int(rng.integers(0, 8))
        kept = Span(doc, start, start + 2, label=str(rng.choice(["A", "OTHER"])), kb_id="Q1")
        blocked = int(rng.choice([i for i in range(10) if i not in (start, start + 1)]))
        doc.set_ents([kept], blocked=[doc[blocked : blocked + 1]], default="missing")
        ner.set_annotations([doc], random_scores(doc, len(ner.tag_set), seed))
        (still,) = [ent for ent in doc.ents if ent.kb_id_ == "Q1"]
        assert (still.start, still.end, still.label) == (start, start + 2, kept.label)
        assert (doc[blocked].ent_iob, doc[blocked].ent_type) == (3, 0)
        assert all(token.ent_iob for token in doc)
