"""The project's page of a pipeline: what is shown of test, and how its entities came out."""

import re
from collections import Counter
from pathlib import Path

import pytest
import spacy
from component.helpers import make_examples, make_nlp, train
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_hgn.corpora.stats import count

ROOT = Path(__file__).parent.parent
WORDS = ["Ada", "Lovelace", "met", "Bo", "in", "Rome", "today", "."]


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")


@pytest.fixture
def compare():
    """How entities of eight words come out, each given as (start, end, label)."""
    from compared_sentences import compare_sentences

    vocab = spacy.blank("en").vocab

    def make(entities, unannotated=()):
        doc = Doc(vocab, words=WORDS, sent_starts=[True, *[False] * 7])
        known = [Span(doc, *each) for each in entities]
        doc.set_ents(known, missing=[doc[i : i + 1] for i in unannotated], default="outside")
        return doc

    def compare_entities(gold, predicted, unannotated=()):
        example = Example(make(predicted), make(gold, unannotated))
        [sentence] = compare_sentences([example])
        names = {"gold": sentence.gold, "predicted": sentence.predicted}
        return {name: [each.outcome for each in found] for name, found in names.items()}

    return compare_entities


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ((0, 2, "PER"), (0, 2, "PER"), ("right", "right")),
        ((0, 2, "PER"), (0, 2, "ORG"), ("wrong type", "wrong type")),
        ((0, 2, "PER"), (0, 1, "PER"), ("wrong boundaries", "wrong boundaries")),
        ((0, 2, "PER"), (5, 6, "GPE"), ("missed", "spurious")),
    ],
)
def test_each_entity_comes_out_right_or_wrong_in_some_way(compare, gold, predicted, expected):
    found = compare([gold], [predicted])
    assert (found["gold"], found["predicted"]) == ([expected[0]], [expected[1]])


def test_what_is_not_annotated_is_not_counted(compare):
    found = compare([(0, 2, "PER")], [(0, 2, "PER"), (5, 6, "GPE")], unannotated=[5])
    assert found == {"gold": ["right"], "predicted": ["right", "not annotated"]}


def test_sentences_of_a_text_are_compared_by_themselves():
    from compared_sentences import compare_sentences

    vocab = spacy.blank("en").vocab
    starts = [True, False, False, False, True, False, False, False]
    gold = Doc(vocab, words=WORDS, sent_starts=starts)
    gold.ents = [Span(gold, 0, 2, "PER"), Span(gold, 5, 6, "GPE")]
    predicted = Doc(vocab, words=WORDS)
    predicted.ents = [Span(predicted, 5, 6, "GPE")]
    first, second = compare_sentences([Example(predicted, gold)])
    assert (first.text, second.text) == ("Ada Lovelace met Bo", "in Rome today .")
    assert first.errors == ["missed"]
    [(entity, outcome, score)] = second.predicted
    assert (second.text[entity.start : entity.end], outcome, score) == ("Rome", "right", None)
    assert second.errors == []


def test_errors_have_the_share_in_what_is_shown_that_they_have_in_all():
    from compared_sentences import ComparedEntity, Entity, Sentence, choose

    kinds = ["right"] * 70 + ["spurious"] * 20 + ["wrong type"] * 10
    sentences = [
        Sentence(f"{i}", [], [ComparedEntity(Entity(0, 1, "PER"), kind, 0.5)])
        for i, kind in enumerate(kinds)
    ]
    shown = choose(sentences, 10)
    found = Counter(each.predicted[0].outcome for each in shown)
    assert found == {"right": 7, "spurious": 2, "wrong type": 1}
    assert shown == sorted(shown, key=lambda each: int(each.text))
    assert choose(sentences[:3], 10) == sentences[:3]


def test_the_page_shows_a_hostile_text_and_loads_nothing(tmp_path):
    from compared_sentences import compare_sentences
    from show_entities import render

    text = "<script>alert(1)</script> Ada met <b>Bo</b> ."
    nlp = make_nlp()
    train(nlp, [(text, [(26, 29, "<PER>")])], steps=30)
    examples = make_examples(nlp, [(text, [(26, 29, "<PER>")])])
    for example in examples:
        example.predicted = nlp(example.predicted)
    assert [ent.label_ for ent in examples[0].predicted.ents] == ["<PER>"]
    nlp.to_disk(tmp_path)
    nlp = spacy.load(tmp_path)
    nlp.meta.update(name="x", sources=[{"name": "<i>texts</i>", "license": ""}])
    parts = dict.fromkeys(("train", "dev", "test"), count([examples[0].reference]))
    scores = {"ents_p": 1.0, "ents_r": 1.0, "ents_f": 1.0, "ents_per_type": {}}
    nlp.meta["performance"] = scores
    page = render(
        nlp, parts, scores, list(compare_sentences(examples)), [nlp(text)], hero="a <hero>"
    )
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;PER&gt;" in page
    assert "a &lt;hero&gt;" in page
    assert not re.search(r"<(script|b|i|PER|hero|link|img)\b|https?://(?!www\.w3\.org)", page)
    assert '<html lang="en">' in page
