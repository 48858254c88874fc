"""A `.spacy` file's own entities aren't taken for the pipeline's."""

from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from .helpers import annotate, docs_in, rows_of

TEXT = "Tim Cook runs Apple from Cupertino."


@pytest.fixture
def source(tmp_path) -> Path:
    """A Doc with an entity that no pipeline finds, and much else."""
    doc = Doc(
        spacy.blank("xx").vocab,
        words=["Tim", "Cook", "runs", "Apple", "from", "Cupertino."],  # as no tokenizer has it
        sent_starts=[True, False, False, True, False, False],
        tags=["NNP"] * 6,
    )
    wrong = Span(doc, 2, 4, "WRONG", kb_id="Q1", span_id="x")
    doc.set_ents([wrong], blocked=[doc[0:1]], default="outside")
    doc.spans["others"] = [doc[1:3]]
    doc.user_data["id"] = "d1"
    DocBin(docs=[doc], attrs=["TAG", "ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID", "SENT_START"],
           store_user_data=True).to_disk(tmp_path / "a.spacy")  # fmt: skip
    return tmp_path / "a.spacy"


def names(rows: list[dict]) -> set[tuple[str, str]]:
    return {(row["text"], row["label"]) for row in rows}


def test_the_pipeline_s_own_entities_come_out(source, ruler, tmp_path):
    nlp = spacy.load(ruler)
    nlp.get_pipe("entity_ruler").add_patterns([{"label": "ORG", "pattern": "Apple"}])
    nlp.to_disk(tmp_path / "orgs")
    annotate(tmp_path / "orgs", [source], tmp_path / "out")
    assert names(rows_of(tmp_path / "out", "entities")) == {("Apple", "ORG")}
    annotate(tmp_path / "orgs", [source], tmp_path / "kept", keep_entities=True)
    assert names(rows_of(tmp_path / "kept", "entities")) == {("runs Apple", "WRONG")}


def test_what_else_is_on_the_doc_stays(source, hgn, tmp_path):
    annotate(hgn, [source], tmp_path / "out", to="docbin")
    (doc,) = docs_in(tmp_path / "out")
    assert [token.text for token in doc][-1] == "Cupertino."
    assert [sentence.start for sentence in doc.sents] == [0, 3]
    assert {token.tag_ for token in doc} == {"NNP"}
    assert [span.text for span in doc.spans["others"]] == ["Cook runs"]
    assert doc.user_data["id"] == "d1"
    assert "WRONG" not in {ent.label_ for ent in doc.ents}
    assert not any(ent.start == 0 for ent in doc.ents)  # it is blocked
    assert {(token.ent_kb_id_, token.ent_id_) for token in doc} == {("", "")}


def test_scores_of_an_earlier_run_go_with_its_entities(hgn, ruler, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    annotate(hgn, [tmp_path / "a.txt"], tmp_path / "first", to="docbin")
    assert docs_in(tmp_path / "first")[0].ents
    annotate(ruler, [tmp_path / "first" / "docs"], tmp_path / "second", to="docbin")
    (doc,) = docs_in(tmp_path / "second")
    assert not doc.ents
    assert not doc.spans
    kept = tmp_path / "kept"
    annotate(ruler, [tmp_path / "first" / "docs"], kept, keep_entities=True)
    before = docs_in(tmp_path / "first")[0].ents
    rows = rows_of(kept, "entities")
    assert [row["text"] for row in rows] == [entity.text for entity in before]
    assert [row["score"] for row in rows] == pytest.approx([entity._.score for entity in before])
