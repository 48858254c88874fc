"""The probability of every entity: on the span, in doc.spans, and by a threshold."""

import subprocess
import sys

import numpy
import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from spacy_hgn.entities.posteriors import Posteriors
from spacy_hgn.tags.decoding import SpanConstraints

from .helpers import MIXED, TEXTS, make_nlp, probabilities, random_scores


def scores_of(doc: Doc) -> list[tuple[str, float | None]]:
    return [(ent.text, ent._.score) for ent in doc.ents]


def test_entities_have_their_posterior_probability(cnn_nlp):
    doc = cnn_nlp(TEXTS[0])
    constraints = SpanConstraints(*numpy.ones((3, len(doc)), dtype=bool))
    ner = cnn_nlp.get_pipe("hgn_ner")
    posteriors = Posteriors(probabilities(cnn_nlp, TEXTS[:1])[0], constraints, ner.tag_set)
    assert len(doc.ents) == 3
    for ent in doc.ents:
        expected = posteriors.of((ent.start, ent.end, ner.labels.index(ent.label_)))
        assert ent._.score == pytest.approx(expected, abs=1e-6)
        assert 0 < ent._.score <= 1


def test_other_spans_have_no_score(cnn_nlp):
    doc = cnn_nlp(TEXTS[0])
    apple = doc.ents[1]
    assert apple._.score is not None
    assert doc[apple.start : apple.end + 1]._.score is None
    assert doc[apple.start : apple.end]._.score is None  # it has no label
    assert Span(doc, apple.start, apple.end, "FRUIT")._.score is None
    assert Span(doc, apple.start, apple.end, "ORG")._.score == apple._.score


def test_doc_spans_have_the_entities_and_their_scores(cnn_nlp):
    for doc in cnn_nlp.pipe(MIXED):
        group = doc.spans["hgn_ner"]
        assert list(group) == list(doc.ents)
        assert group.attrs["scores"].tolist() == [ent._.score for ent in doc.ents]


def test_scores_do_not_depend_on_the_batch(tiny_nlp):
    alone = [scores_of(tiny_nlp(text)) for text in MIXED]
    for batch_size in (2, 100):
        together = map(scores_of, tiny_nlp.pipe(MIXED, batch_size=batch_size))
        for found, expected in zip(together, alone, strict=True):
            assert [text for text, _ in found] == [text for text, _ in expected]
            assert [score for _, score in found] == pytest.approx(
                [score for _, score in expected], abs=1e-5
            )


def test_scores_survive_storage(cnn_nlp):
    docs = list(cnn_nlp.pipe(TEXTS))
    expected = list(map(scores_of, docs))
    assert all(score is not None for pairs in expected for _, score in pairs)
    by_bytes = [Doc(Vocab()).from_bytes(doc.to_bytes()) for doc in docs]
    by_docbin = DocBin().from_bytes(DocBin(docs=docs).to_bytes()).get_docs(Vocab())
    copies = [doc.copy() for doc in docs]
    for again in (by_bytes, by_docbin, copies):
        assert list(map(scores_of, again)) == expected


WITHOUT_PIPELINE = """
import sys
from spacy.tokens import DocBin
from spacy.vocab import Vocab
from spacy_hgn.entities.score import register_score

(doc,) = DocBin().from_disk(sys.argv[1]).get_docs(Vocab())
register_score()
print(*(f"{ent.text}={ent._.score:.6f}" for ent in doc.ents), sep=", ")
"""


def test_stored_scores_are_read_without_a_pipeline(cnn_nlp, tmp_path):
    doc = cnn_nlp(TEXTS[0])
    DocBin(docs=[doc]).to_disk(tmp_path / "found.spacy")
    command = [sys.executable, "-c", WITHOUT_PIPELINE, str(tmp_path / "found.spacy")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ", ".join(f"{e.text}={e._.score:.6f}" for e in doc.ents)


PROCESSES = """
import multiprocessing, sys
import spacy

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[2])
    nlp = spacy.load(sys.argv[1])
    if sys.argv[3:] == ["merged"]:
        nlp.add_pipe("merge_entities")
    texts = ["Tim Cook runs Apple.", "", "Angela Merkel lived in New York City."] * 4
    scores = lambda docs: [[ent._.score for ent in doc.ents] for doc in docs]
    expected = scores(map(nlp, texts))
    assert any(expected) and None not in sum(expected, [])
    found = scores(nlp.pipe(texts, n_process=2, batch_size=1))
    assert found == expected, (found, expected)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start_method", "options"), [("fork", []), ("spawn", []), ("fork", ["merged"])]
)
def test_scores_come_out_of_other_processes(start_method, options, cnn_folder, tmp_path):
    if sys.platform != "linux" and start_method == "fork":
        pytest.skip("forking is safe on Linux alone")
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    command = [sys.executable, str(script), str(cnn_folder), start_method, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_scores_stay_when_entities_are_merged_to_tokens(nlp):
    expected = scores_of(nlp(TEXTS[1]))
    nlp.add_pipe("merge_entities")
    doc = nlp(TEXTS[1])
    assert len(doc) < len(nlp.make_doc(TEXTS[1]))
    assert scores_of(doc) == expected


def test_the_second_time_keeps_the_scores(nlp):
    once = scores_of(nlp(TEXTS[0]))
    assert scores_of(nlp(nlp(TEXTS[0]))) == once


def test_entities_of_others_have_no_score(nlp):
    ruler = nlp.add_pipe("entity_ruler", before="hgn_ner")
    ruler.add_patterns([{"label": "FRUIT", "pattern": "Apple"}])
    scores = dict(scores_of(nlp(TEXTS[0])))
    assert scores["Apple"] is None
    assert scores["Cupertino"] > 0


def test_each_of_several_components_gives_scores(cnn_folder):
    nlp = spacy.load(cnn_folder)
    other = spacy.load(cnn_folder)
    other.rename_pipe("hgn_ner", "second")
    nlp.add_pipe("second", source=other, first=True)
    nlp.get_pipe("second").threshold = 0.5
    only = nlp(TEXTS[0], disable=["hgn_ner"])
    first = dict(scores_of(only))
    doc = nlp.make_doc(TEXTS[0])
    apple = only.ents[1]
    doc.set_ents([Span(doc, apple.start, apple.end, "FRUIT")], default="missing")
    doc = nlp.get_pipe("second")(doc)
    doc.ents = [ent for ent in doc.ents if ent.text != "Cupertino"]
    doc = nlp.get_pipe("hgn_ner")(doc)
    assert set(doc.spans) == {"second", "hgn_ner"}
    assert [ent.text for ent in doc.spans["hgn_ner"]] == ["Cupertino"]
    assert dict(scores_of(doc))["Cupertino"] == pytest.approx(first["Cupertino"], abs=0.1)
    assert all(score is not None for text, score in scores_of(doc) if text != "Apple")


def test_a_threshold_drops_what_is_less_probable():
    nlp = make_nlp()
    ner = nlp.get_pipe("hgn_ner")
    for label in ("A", "B"):
        ner.add_label(label)
    doc = Doc(nlp.vocab, words=list("abcdefghij" * 3))
    scores = random_scores(doc, len(ner.tag_set), 0)
    ner.set_annotations([doc], scores)
    kept = [(ent.start, ent.end) for ent in doc.ents if ent._.score >= 0.2]
    assert 0 < len(kept) < len(doc.ents)
    ner.threshold = 0.2
    strict = Doc(nlp.vocab, words=[token.text for token in doc])
    ner.set_annotations([strict], scores)
    assert [(ent.start, ent.end) for ent in strict.ents] == kept
    assert list(strict.spans["hgn_ner"]) == list(strict.ents)
    assert all(token.ent_iob for token in strict)


def test_scores_can_be_left_out(cnn_folder):
    nlp = spacy.load(cnn_folder, config={"components.hgn_ner.scores": False})
    doc = nlp(TEXTS[0])
    assert scores_of(doc) == [("Tim Cook", None), ("Apple", None), ("Cupertino", None)]
    assert "hgn_ner" not in doc.spans
    nlp.get_pipe("hgn_ner").threshold = 1
    assert nlp(TEXTS[0]).ents == ()


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_impossible_thresholds_are_refused(threshold):
    with pytest.raises(ValueError, match="threshold: expected a probability from 0 to 1"):
        make_nlp(threshold=threshold)


def test_all_that_is_predicted_has_a_score(guessing_nlp):
    ner = guessing_nlp.get_pipe("hgn_ner")
    for seed in range(20):
        doc = guessing_nlp.make_doc("  Tim  Cook\n\nruns \t Apple   today \n ")
        ner.set_annotations([doc], random_scores(doc, len(ner.tag_set), seed))
        assert all(0 < ent._.score <= 1 for ent in doc.ents)


OTHERS_FIRST = """
import spacy
from spacy.tokens import Span
Span.set_extension("score", default=0.0)
doc = spacy.load({folder!r})({text!r})
scores = doc.spans["hgn_ner"].attrs["scores"].tolist()
assert [ent._.score for ent in doc.ents] == scores and all(scores)
assert doc[0:1]._.score == 0.0
"""

OTHERS_WITH_A_GETTER = """
import spacy
from spacy.tokens import Span
Span.set_extension("score", getter=len)
doc = spacy.load({folder!r})({text!r})
assert [ent._.score for ent in doc.ents] == [2, 1, 1]
assert len(doc.spans["hgn_ner"].attrs["scores"]) == 3
"""

OTHERS_BY_FORCE = """
import spacy
from spacy.tokens import Span
nlp = spacy.load({folder!r})
Span.set_extension("score", default=0.0, force=True)
doc = nlp({text!r})
assert [ent._.score for ent in doc.ents] == doc.spans["hgn_ner"].attrs["scores"].tolist()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "warning"),
    [
        (OTHERS_FIRST, ""),
        (OTHERS_BY_FORCE, ""),
        (OTHERS_WITH_A_GETTER, "another extension Span._.score"),
    ],
)
def test_another_extension_of_that_name(code, warning, cnn_folder):
    code = code.format(folder=str(cnn_folder), text=TEXTS[0])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert warning in done.stderr
    assert bool(warning) == bool(done.stderr)


def test_others_may_set_scores_of_their_own(cnn_nlp):
    doc = cnn_nlp(TEXTS[0])
    before = scores_of(doc)
    own = Span(doc, 3, 5, "OTHER")
    own._.score = 0.75
    assert own._.score == 0.75
    assert scores_of(doc) == before
    assert Doc(doc.vocab).from_bytes(doc.to_bytes())[3:5]._.score == 0.75


def test_scores_of_docs_that_are_cut_and_joined(cnn_nlp):
    docs = list(cnn_nlp.pipe(TEXTS))
    expected = [pair for doc in docs for pair in scores_of(doc)]
    assert scores_of(Doc.from_docs(docs)) == expected
    last = docs[0].ents[-1]
    for cut in (last.as_doc(), docs[0][3:].as_doc(), docs[0][3:].as_doc(copy_user_data=True)):
        assert scores_of(cut)[-1] == (last.text, last._.score)
    assert Span(last.as_doc(), 0, 1, "FRUIT")._.score is None


def test_a_text_that_stands_twice_has_each_score_of_its_own_when_it_is_cut(nlp):
    nlp.add_pipe("sentencizer", first=True)
    doc = nlp("Tim Cook runs Apple. Apple runs. Tim Cook runs Apple. Tim Cook runs Apple.")
    nlp.add_pipe("merge_entities")(doc)  # tokens are other ones by then
    sentences = list(doc.sents)
    assert len({sentences[i].ents[-1]._.score for i in (0, 2, 3)}) == 3
    for sentence in sentences:
        assert scores_of(sentence.as_doc()) == [(e.text, e._.score) for e in sentence.ents]


def test_a_tensor_of_others_stays_what_it_is(cnn_nlp):
    doc = cnn_nlp.make_doc(TEXTS[0])
    doc.tensor = tensor = numpy.arange(3.0 * len(doc), dtype="float32").reshape(-1, 3)
    doc = cnn_nlp(doc)
    numpy.testing.assert_array_equal(doc.tensor, tensor)
    numpy.testing.assert_array_equal(doc[1:3].as_doc().tensor, tensor[1:3])
    assert doc[0:2].vector.tolist() == tensor[:2].mean(axis=0).tolist()
    assert Doc(doc.vocab).from_bytes(doc.to_bytes()).tensor.tolist() == tensor.tolist()


def test_groups_stay_right_when_tokens_are_merged_and_split(nlp):
    expected = [(ent.text, ent.label_) for ent in nlp(TEXTS[0]).ents]
    nlp.add_pipe("merge_entities")
    doc = nlp(TEXTS[0])
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[0], ["Tim ", "Cook"], heads=[doc[1], doc[1]])
    again = Doc(Vocab()).from_bytes(doc.to_bytes())
    (stored,) = DocBin(docs=[doc]).get_docs(Vocab())
    for each in (doc, doc.copy(), again, stored, Doc.from_docs([doc])):
        assert [(span.text, span.label_) for span in each.spans["hgn_ner"]] == expected
        assert all(score for _, score in scores_of(each))
    assert [doc.text[s["start"] : s["end"]] for s in doc.to_json()["spans"]["hgn_ner"]] == [
        text for text, _ in expected
    ]


@pytest.mark.slow
def test_importing_registers_nothing():
    code = """
import spacy_hgn.hgn_ner
from spacy.tokens import Span
assert not Span.has_extension("score")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Alternatives


def test_alternatives_have_the_entity_first_with_its_score(cnn_nlp):
    doc = cnn_nlp(TEXTS[1])
    ner = cnn_nlp.get_pipe("hgn_ner")
    for ent in doc.ents:
        best, *others = ner.alternatives(ent, k=4)
        assert (best.start, best.end, best.label) == (ent.start, ent.end, ent.label_)
        assert best.score == pytest.approx(ent._.score, abs=1e-6)
        assert len(others) == 3
        assert all(best.score >= other.score for other in others)
        assert all(other.start < ent.end and other.end > ent.start for other in others)


def test_alternatives_of_a_token_that_is_no_entity(cnn_nlp):
    doc = cnn_nlp(TEXTS[2])
    found = cnn_nlp.get_pipe("hgn_ner").alternatives(doc[1:2], k=100)
    assert found[0][:3] == (1, 2, "")
    assert sum(each.score for each in found) == pytest.approx(1)
    assert len({each[:3] for each in found}) == len(found)


def test_alternatives_leave_other_components_entities(nlp):
    ruler = nlp.add_pipe("entity_ruler", before="hgn_ner")
    ruler.add_patterns([{"label": "FRUIT", "pattern": "Apple"}])
    doc = nlp(TEXTS[0])
    for found in nlp.get_pipe("hgn_ner").alternatives(doc[0:3], k=50):
        assert found.end <= 3


def test_alternatives_change_nothing_on_the_doc(cnn_nlp):
    doc = cnn_nlp(TEXTS[0])
    before = doc.to_bytes()
    cnn_nlp.get_pipe("hgn_ner").alternatives(doc[:])
    assert doc.to_bytes() == before


def test_reasons_of_something_else_are_refused(cnn_nlp):
    hgn_ner, doc = cnn_nlp.get_pipe("hgn_ner"), cnn_nlp("a text")
    with pytest.raises(TypeError, match=r"Expected a Span, such as doc\[0:2\].*; got Doc"):
        hgn_ner.alternatives(doc)
    with pytest.raises(TypeError, match=r"Expected a Doc, such as .*; got str"):
        hgn_ner.explain("a text")


def test_alternatives_need_what_the_model_reads(tiny_nlp):
    tiny_nlp.add_pipe("doc_cleaner", config={"attrs": {"_.trf_data": None}})
    ner = tiny_nlp.get_pipe("hgn_ner")
    doc = tiny_nlp(TEXTS[0])
    with pytest.raises(ValueError, match="reads the vectors"):
        ner.alternatives(doc[0:2])
    kept = ner.alternatives(tiny_nlp(TEXTS[0], disable=["doc_cleaner"])[0:2])
    again = ner.alternatives(tiny_nlp.get_pipe("transformer")(doc)[0:2])
    assert [each[:3] for each in again] == [each[:3] for each in kept]


@pytest.mark.parametrize(("start", "end", "k"), [(1, 1, 5), (0, 2, 0)])
def test_alternatives_of_nothing_are_refused(start, end, k, cnn_nlp):
    doc = cnn_nlp(TEXTS[0])
    with pytest.raises(ValueError, match="Expected at least 1 token and 1 alternative"):
        cnn_nlp.get_pipe("hgn_ner").alternatives(doc[start:end], k=k)
