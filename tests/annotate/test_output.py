"""What is written is what ``nlp.pipe`` finds, in the order of the documents."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_hgn.annotate import prediction, run
from spacy_hgn.annotate.inputs import find_inputs
from spacy_hgn.annotate.receipts import annotate_shard
from spacy_hgn.annotate.run import AnnotateSummary
from spacy_hgn.annotate.settings import AnnotateError, AnnotateSettings
from spacy_hgn.annotate.shards import cut_shards

from .helpers import (
    annotate,
    docs_in,
    documents_in,
    ids_of,
    make_texts,
    rows_of,
    write_corpus,
    write_jsonl,
    write_lines,
)

TEXTS = [
    "Tim Cook runs Apple from Cupertino.",
    "Angela Merkel lived in New York City.",
    "It rains.",
    "",
    "The European Central Bank is in Frankfurt. 🙂 Tim Cook isn't.",
] * 5


def entities_of(doc) -> list[tuple]:
    return [(ent.start_char, ent.end_char, ent.label_, ent.text) for ent in doc.ents]


def vocabulary(nlp: Language) -> tuple[int, int]:
    """How many words and strings it holds."""
    return sum(1 for _ in nlp.vocab), len(nlp.vocab.strings)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_entities_offsets_and_scores(batch_size, hgn, tmp_path):
    path = write_jsonl(
        tmp_path / "a.jsonl", [{"text": text, "id": i} for i, text in enumerate(TEXTS)]
    )
    summary = annotate(hgn, [path], tmp_path / "out", batch_size=batch_size)
    nlp = spacy.load(hgn)
    docs = list(nlp.pipe(TEXTS))
    rows = rows_of(tmp_path / "out", "entities")
    assert [tuple(row.values())[:4] for row in rows] == [
        (str(i), ent.start_char, ent.end_char, ent.label_)
        for i, doc in enumerate(docs)
        for ent in doc.ents
    ]
    assert [row["text"] for row in rows] == [ent.text for doc in docs for ent in doc.ents]
    scores = [ent._.score for doc in docs for ent in doc.ents]
    assert [row["score"] for row in rows] == pytest.approx(scores, abs=1e-5)
    assert len(rows) == summary.entities > 10
    assert rows_of(tmp_path / "out", "documents") == [
        {"document": str(i), "words": len(doc), "entities": len(doc.ents), "meta": None}
        for i, doc in enumerate(docs)
    ]
    assert (summary.documents, summary.words) == (len(docs), sum(map(len, docs)))


def test_docbin_has_entities_scores_ids_and_meta(hgn, tmp_path):
    records = [{"text": text, "id": f"d{i}", "meta": [i]} for i, text in enumerate(TEXTS)]
    annotate(hgn, [write_jsonl(tmp_path / "a.jsonl", records)], tmp_path / "out", to="docbin")
    found, expected = docs_in(tmp_path / "out"), list(spacy.load(hgn).pipe(TEXTS))
    assert [doc.text for doc in found] == TEXTS
    assert [entities_of(doc) for doc in found] == [entities_of(doc) for doc in expected]
    scores = [ent._.score for doc in found for ent in doc.ents]
    assert scores == pytest.approx([e._.score for doc in expected for e in doc.ents], abs=1e-5)
    assert [doc.user_data["id"] for doc in found] == [record["id"] for record in records]
    assert [json.loads(doc.user_data["meta"]) for doc in found] == [r["meta"] for r in records]


def test_its_own_docbins_are_inputs_again(ruler, tmp_path):
    records = [{"text": text, "id": f"d{i}", "meta": i} for i, text in enumerate(make_texts(10))]
    path = write_jsonl(tmp_path / "a.jsonl", records)
    annotate(ruler, [path], tmp_path / "first", to="docbin")
    annotate(ruler, [tmp_path / "first" / "docs"], tmp_path / "second")
    annotate(ruler, [path], tmp_path / "whole")
    for table in ("entities", "documents"):
        assert rows_of(tmp_path / "second", table) == rows_of(tmp_path / "whole", table)


def test_other_components_have_no_scores(ruler, tmp_path):
    annotate(ruler, [write_lines(tmp_path / "a.txt", make_texts(4))], tmp_path / "out")
    rows = rows_of(tmp_path / "out", "entities")
    assert len(rows) == 12
    assert {row["score"] for row in rows} == {None}


def test_all_formats_in_one_run(ruler, tmp_path):
    texts = write_corpus(tmp_path / "corpus")
    annotate(ruler, [tmp_path / "corpus"], tmp_path / "out")
    ids = ids_of(tmp_path / "corpus")
    assert documents_in(tmp_path / "out") == ids
    found = {id: [] for id in ids}
    for row in rows_of(tmp_path / "out", "entities"):
        found[row["document"]].append((row["start"], row["end"], row["label"], row["text"]))
    expected = [entities_of(doc) for doc in spacy.load(ruler).pipe(texts)]
    assert list(found.values()) == expected


def test_the_vocabulary_does_not_grow_with_the_texts(ruler, tmp_path):
    path = write_lines(tmp_path / "a.txt", [f"Maria saw word{i}." for i in range(40)])
    settings = AnnotateSettings(str(ruler), tmp_path / "out", shard_size=10)
    nlp = spacy.load(ruler)
    begin, sizes = vocabulary(nlp), []
    for shard in cut_shards(find_inputs([str(path)], settings.output), settings):
        annotate_shard(nlp, shard, settings)
        sizes.append(vocabulary(nlp))
    assert sizes == [begin] * 4


def test_several_runs_share_the_shards(ruler, tmp_path):
    write_corpus(tmp_path / "corpus")
    runs = [annotate(ruler, [tmp_path / "corpus"], tmp_path / "out", (k, 3)) for k in range(3)]
    assert [each.shards for each in runs] == [3, 2, 2]
    assert documents_in(tmp_path / "out") == ids_of(tmp_path / "corpus")
    assert annotate(ruler, [tmp_path / "corpus"], tmp_path / "out").before == 7
    assert (tmp_path / "out" / "summary.json").exists()


def run_at_once(
    runs: Sequence[Callable[[], AnnotateSummary]], monkeypatch
) -> list[AnnotateSummary | AnnotateError]:
    """Runs none of which takes the folder until all have found it empty; what comes of them."""
    barrier = Barrier(len(runs))
    claim_output = run.claim_output

    def claim_together(*arguments):
        barrier.wait()
        claim_output(*arguments)

    def caught(one: Callable[[], AnnotateSummary]) -> AnnotateSummary | AnnotateError:
        try:
            return one()
        except AnnotateError as error:
            return error

    with monkeypatch.context() as patch, ThreadPoolExecutor(len(runs)) as threads:
        patch.setattr(run, "claim_output", claim_together)
        return list(threads.map(caught, runs))


def test_runs_that_begin_together_share_the_shards(ruler, tmp_path, monkeypatch):
    write_corpus(tmp_path / "corpus")
    arguments = (ruler, [tmp_path / "corpus"], tmp_path / "out")
    runs = run_at_once([partial(annotate, *arguments, (k, 3)) for k in range(3)], monkeypatch)
    assert [each.shards for each in runs] == [3, 2, 2]
    assert documents_in(tmp_path / "out") == ids_of(tmp_path / "corpus")
    assert annotate(*arguments).before == 7


def test_runs_that_begin_together_can_not_mix_their_shards(ruler, tmp_path, monkeypatch):
    write_corpus(tmp_path / "corpus")
    arguments = (ruler, [tmp_path / "corpus"], tmp_path / "out")
    both = [partial(annotate, *arguments, shard_size=size) for size in (8, 5)]
    ends = run_at_once(both, monkeypatch)
    (refused,) = (str(end) for end in ends if isinstance(end, AnnotateError))
    assert "arguments.shard_size: begun with" in refused
    assert documents_in(tmp_path / "out") == ids_of(tmp_path / "corpus")


def test_batches_of_long_documents_are_short(ruler, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "CHARACTERS", 100)
    batches = []
    predict_batch = prediction._predict_batch

    def noting(nlp, batch):
        batches.append([len(each.content) for each in batch])
        return predict_batch(nlp, batch)

    monkeypatch.setattr(prediction, "_predict_batch", noting)
    lengths = [30, 30, 30, 30, 200, 99, 1, 1, 1, 1, 1]
    path = write_lines(tmp_path / "a.txt", ["x" * length for length in lengths])
    annotate(ruler, [path], tmp_path / "out", batch_size=4, shard_size=100)
    assert batches == [[30, 30, 30], [30], [200], [99, 1], [1, 1, 1, 1]]


def test_meta_of_docs_is_json(ruler, tmp_path):
    nlp = spacy.blank("xx")
    docs = [nlp.make_doc(text) for text in make_texts(3)]
    for doc, meta in zip(docs, [{"year": 2000}, [1, "Zürich"], None], strict=True):
        doc.user_data["meta"] = meta
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "a.spacy")
    annotate(ruler, [tmp_path / "a.spacy"], tmp_path / "out")
    found = [row["meta"] for row in rows_of(tmp_path / "out", "documents")]
    assert found == ['{"year": 2000}', '[1, "Zürich"]', None]
