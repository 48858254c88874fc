"""What works behind spaCy's ``ner`` works behind the component in a pipeline as it is shipped."""

import numpy
import pytest
import spacy
from spacy import displacy
from spacy.kb import InMemoryLookupKB
from spacy.language import Language
from spacy.tokens import Doc

from .helpers import DATA, TEXTS, assert_finds, entities_of, make_examples


@pytest.fixture(params=["hgn_doc_cleaner", "older"])
def cleaned_nlp(request, tiny_folder, tmp_path) -> Language:
    """A pipeline whose last component takes vectors off, also one made when that was spaCy's."""
    nlp = spacy.load(tiny_folder)
    if request.param != "older":
        nlp.add_pipe("hgn_doc_cleaner", name="doc_cleaner")
        return nlp
    nlp.add_pipe("doc_cleaner")
    nlp.to_disk(tmp_path)
    return spacy.load(tmp_path, config={"components.doc_cleaner.factory": "hgn_doc_cleaner"})


def test_the_heros_vectors_are_taken_off(cleaned_nlp):
    for doc in cleaned_nlp.pipe([*TEXTS, ""]):
        assert doc._.trf_data is None


@pytest.mark.filterwarnings("ignore:.*W00[78].*:UserWarning")
def test_docs_can_be_cut_compared_and_drawn(cleaned_nlp):
    doc = cleaned_nlp(TEXTS[0])
    assert entities_of(doc[:4].as_doc()) == DATA[0][1][:2]
    assert not doc.has_vector
    assert not doc[0].has_vector
    assert doc.vector.size == doc[0].vector.size == doc[0:2].vector.size
    assert doc.similarity(doc[0:2].as_doc()) == 0
    assert "PERSON" in displacy.render(doc[0:4], style="ent", jupyter=False)
    assert entities_of(doc.copy()) == entities_of(Doc(doc.vocab).from_bytes(doc.to_bytes()))


def test_an_entity_linker(cleaned_nlp):
    nlp = cleaned_nlp

    def create_kb(vocab):
        kb = InMemoryLookupKB(vocab, entity_vector_length=8)
        kb.add_entity("Q312", freq=1, entity_vector=numpy.ones(8))
        kb.add_alias("Apple", ["Q312"], [1.0])
        return kb

    nlp.add_pipe("sentencizer", first=True)
    linker = nlp.add_pipe("entity_linker")
    linker.initialize(lambda: make_examples(nlp), nlp=nlp, kb_loader=create_kb)
    found = {ent.text: ent.kb_id_ for ent in nlp(TEXTS[0]).ents}
    assert found == {"Tim Cook": "NIL", "Apple": "Q312", "Cupertino": "NIL"}


def test_texts_with_a_context_of_their_own(cleaned_nlp):
    pairs = [(text, i) for i, text in enumerate(TEXTS)]
    found = list(cleaned_nlp.pipe(pairs, as_tuples=True))
    assert [(entities_of(doc), i) for doc, i in found] == [(e, i) for i, (_, e) in enumerate(DATA)]


def test_a_pipeline_with_it_is_stored_and_loaded(cleaned_nlp, tmp_path):
    cleaned_nlp.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    assert_finds(loaded)
    assert loaded(TEXTS[0])[:2].as_doc().text == "Tim Cook "


def test_reasons_after_merging_need_vectors_of_the_same_tokens(tiny_nlp):
    tiny_nlp.add_pipe("merge_entities")
    doc = tiny_nlp(TEXTS[0])
    ner = tiny_nlp.get_pipe("hgn_ner")
    for ask in (lambda: ner.explain(doc), lambda: ner.alternatives(doc.ents[0])):
        with pytest.raises(ValueError, match="tokens were merged or split since"):
            ask()
    again = tiny_nlp.get_pipe("transformer")(doc)
    assert ner.alternatives(again.ents[0])
