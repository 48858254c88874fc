"""Prediction: every text gets the same answer, however it comes."""

import pickle
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import pytest
import spacy
from spacy.tokens import Doc
from spacy.tokens.underscore import Underscore

from .helpers import (
    MIXED,
    TEXTS,
    assert_same,
    entities_of,
    make_nlp,
    probabilities,
    random_scores,
    train,
    transformer_config,
)


def answers(docs: Iterable[Doc]) -> list[tuple]:
    return [(doc.text, entities_of(doc), doc.to_array("ENT_IOB").tolist()) for doc in docs]


@pytest.mark.parametrize("text", ["", " ", "\n", " \t\n "])
@pytest.mark.parametrize("model", [{}, {"windows": []}])
def test_texts_without_words(text, model):
    nlp = make_nlp(model)
    nlp.get_pipe("hgn_ner").add_label("PERSON")
    nlp.initialize()
    assert nlp(text).ents == ()
    assert [doc.ents for doc in nlp.pipe([text] * 3)] == [()] * 3


def test_texts_without_words_over_a_transformer(tiny_nlp):
    for batch in ([""], ["", ""], [" "], ["", "\n\n", "Tim Cook."]):
        assert all(doc.text == text for doc, text in zip(tiny_nlp.pipe(batch), batch))
        assert tiny_nlp(batch[0]).ents == ()


def test_pipe_gives_the_answers_of_single_calls(tiny_nlp):
    assert answers(tiny_nlp.pipe(MIXED)) == answers(tiny_nlp(text) for text in MIXED)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batch_size_changes_nothing(batch_size, tiny_nlp, cnn_nlp):
    for nlp in (tiny_nlp, cnn_nlp):
        assert answers(nlp.pipe(MIXED, batch_size=batch_size)) == answers(nlp.pipe(MIXED))


def test_probabilities_do_not_depend_on_the_batch(tiny_nlp):
    texts = [text for text in MIXED if text]
    alone = [probabilities(tiny_nlp, [text])[0] for text in texts]
    assert_same(probabilities(tiny_nlp, texts), alone)


def test_pipe_as_tuples(cnn_nlp):
    pairs = list(cnn_nlp.pipe(zip(TEXTS, range(4)), as_tuples=True))
    assert [number for _, number in pairs] == [0, 1, 2, 3]
    assert answers(doc for doc, _ in pairs) == answers(cnn_nlp.pipe(TEXTS))


def test_two_threads_get_the_answers_that_one_gets(tiny_bert):
    hero = transformer_config(tiny_bert)
    del hero["model"]["transformer_config"]  # so that there is dropout in training
    nlp = spacy.blank("xx")
    nlp.add_pipe("transformer", config=hero)
    nlp.add_pipe("hgn_ner")
    train(nlp, steps=1)

    def predict_all() -> list[numpy.ndarray]:
        return [probabilities(nlp, [text])[0] for text in TEXTS * 10]

    expected = predict_all()
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: predict_all(), range(4)):
            assert_same(found, expected)


def test_threads_that_call_one_pipeline_get_entities_and_scores(tiny_nlp):
    texts = MIXED * 5

    def described(docs: Iterable[Doc]) -> list[list[tuple]]:
        return [
            [(ent.start, ent.end, ent.label_, round(ent._.score, 4)) for ent in doc.ents]
            for doc in docs
        ]

    def one_by_one() -> list[list[tuple]]:
        return described(map(tiny_nlp, texts))

    def in_batches() -> list[list[tuple]]:
        return described(tiny_nlp.pipe(texts, batch_size=7))

    expected = one_by_one()
    assert any(expected)
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(call) for call in (one_by_one, in_batches) * 2]
        assert [each.result() for each in running] == [expected] * 4


def test_a_memory_zone_takes_its_strings_with_it(cnn_folder):
    nlp = spacy.load(cnn_folder)
    expected = answers(nlp.pipe(MIXED))
    for _ in range(2):
        with nlp.memory_zone():
            assert answers(nlp.pipe(MIXED)) == expected
            nlp("Somebody from Zyxwvutgrad spoke.")
        assert "Zyxwvutgrad" not in nlp.vocab.strings
    assert answers(nlp.pipe(MIXED)) == expected


def test_a_pickled_pipeline_gives_the_same_answers(cnn_nlp):
    assert answers(pickle.loads(pickle.dumps(cnn_nlp)).pipe(MIXED)) == answers(cnn_nlp.pipe(MIXED))


def test_a_component_unpickled_in_a_process_that_made_none_gives_scores(cnn_nlp, monkeypatch):
    doc = cnn_nlp(TEXTS[0])
    expected = [ent._.score for ent in doc.ents]
    component = pickle.dumps(cnn_nlp.get_pipe("hgn_ner"))
    monkeypatch.delitem(Underscore.span_extensions, "score")
    unpickled = pickle.loads(component)
    again = unpickled(Doc(unpickled.vocab, words=[token.text for token in doc]))
    assert expected
    assert [ent._.score for ent in again.ents] == pytest.approx(expected, abs=1e-5)


PROCESSES = """
import multiprocessing, sys
import spacy, torch

if __name__ == "__main__":
    torch.set_num_threads(2)
    multiprocessing.set_start_method(sys.argv[2])
    nlp = spacy.load(sys.argv[1])
    texts = ["Tim Cook runs Apple.", "", "Angela Merkel lived in New York City."] * 10
    expected = [doc.to_json() for doc in map(nlp, texts)]  # torch starts its threads
    found = [doc.to_json() for doc in nlp.pipe(texts, n_process=2, batch_size=5)]
    assert found == expected
    assert any(doc["ents"] for doc in found)
"""


def assert_processes_agree(folder: Path, start_method: str, tmp_path: Path) -> None:
    script = tmp_path / "processes.py"
    script.write_text(PROCESSES)
    command = [sys.executable, str(script), str(folder), start_method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "TOKENIZERS_PARALLELISM" not in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forking is safe on Linux alone")
def test_forked_processes(minilm_folder, tmp_path):
    assert_processes_agree(minilm_folder, "fork", tmp_path)


@pytest.mark.long
def test_spawned_processes(tiny_folder, tmp_path):
    assert_processes_agree(tiny_folder, "spawn", tmp_path)


def test_no_token_is_left_without_a_tag(tiny_nlp):
    for doc in tiny_nlp.pipe(MIXED):
        assert all(token.ent_iob_ in "BIO" and token.ent_iob for token in doc)
        assert not len(doc) or doc.has_annotation("ENT_IOB")


def test_no_entity_begins_or_ends_in_white_space(guessing_nlp):
    ner = guessing_nlp.get_pipe("hgn_ner")
    for seed in range(30):
        doc = guessing_nlp.make_doc("  Tim  Cook\n\nruns \t Apple   today \n ")
        ner.set_annotations([doc], random_scores(doc, len(ner.tag_set), seed))
        assert not any(ent[0].is_space or ent[-1].is_space for ent in doc.ents)
        assert all(token.ent_iob for token in doc)


def test_no_entity_crosses_the_start_of_a_sentence(guessing_nlp):
    ner = guessing_nlp.get_pipe("hgn_ner")
    starts = [True, False, False, True, False, True, False]
    for seed in range(30):
        doc = Doc(guessing_nlp.vocab, words=list("abcdefg"), sent_starts=starts)
        ner.set_annotations([doc], random_scores(doc, len(ner.tag_set), seed))
        assert not any(token.is_sent_start for ent in doc.ents for token in ent[1:])


def test_a_sentencizer_keeps_entities_apart(cnn_folder):
    nlp = spacy.load(cnn_folder)
    nlp.add_pipe("sentencizer", before="hgn_ner")
    for doc in nlp.pipe(["He met Angela. Merkel left.", "We saw New York! City life."]):
        assert not any(token.is_sent_start for ent in doc.ents for token in ent[1:])
    assert entities_of(nlp(TEXTS[1])) == [(0, 13, "PERSON"), (23, 36, "GPE")]


def test_predicting_before_initializing_is_an_error():
    nlp = make_nlp()
    with pytest.raises(ValueError, match="E109"):
        nlp("Tim Cook runs Apple.")
    with pytest.raises(ValueError, match="E109"):
        list(nlp.pipe(TEXTS))


def test_docs_are_accepted_in_the_place_of_texts(cnn_nlp):
    doc = cnn_nlp(cnn_nlp.make_doc(TEXTS[0]))
    assert entities_of(doc) == entities_of(cnn_nlp(TEXTS[0]))


def test_the_error_handler_gets_what_fails(cnn_folder):
    nlp = spacy.load(cnn_folder)
    failed = []
    nlp.get_pipe("hgn_ner").set_error_handler(lambda name, pipe, docs, error: failed.append(name))
    nlp.get_pipe("hgn_ner").predict = lambda docs: 1 / 0
    assert list(nlp.pipe(TEXTS)) == []
    assert failed == ["hgn_ner"]
