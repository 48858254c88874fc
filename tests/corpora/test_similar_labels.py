import pytest

from spacy_hgn.corpora.similar_labels import find_similar

CONLL = ["PER", "ORG", "LOC", "MISC"]


@pytest.mark.parametrize(
    ("label", "known", "similar"),
    [
        ("Person", CONLL, "PER"),
        ("per", CONLL, "PER"),
        ("LOCATION", CONLL, "LOC"),
        ("Miscellaneous", CONLL, "MISC"),
        ("CORP", ["corporation", "person"], "corporation"),
        ("creative_work", ["creative-work"], "creative-work"),
        ("Diseases", ["Disease", "Chemical"], "Disease"),
    ],
)
def test_a_shortened_or_misspelt_label_resembles_its_model(label, known, similar):
    assert find_similar([label], known) == {label: similar}


@pytest.mark.parametrize(
    ("label", "known"),
    [("GPE", CONLL), ("DATE", ["STATE"]), ("EVENT", ["PERCENT"]), ("GPE", [])],
)
def test_other_labels_resemble_nothing(label, known):
    assert find_similar([label], known) == {}
