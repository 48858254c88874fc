"""spaCy's transformer and ner, as spaCy's quickstart writes them."""

from pathlib import Path

from common import spacy_pipeline
from passes import Peer, serve
from spacy_pipes import initialize, predict_with


def load(hero: str, precision: str) -> Peer:
    nlp = initialize(spacy_pipeline(Path(hero)))
    move_bias = nlp.get_pipe("ner").model.get_ref("lower").get_param("b")

    def prefer_none(bias: float) -> None:
        move_bias[-1] = bias  # the last move is O

    return Peer(predict_with(nlp), prefer_none)


if __name__ == "__main__":
    serve(load, "spacy", "spacy-transformers", "thinc", "transformers")
