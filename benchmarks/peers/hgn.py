"""spacy_hgn: its Hero and hgn_ner with windows 5, 7 and 9, as the README's pipeline has them."""

from pathlib import Path

import spacy
from common import hero_config
from passes import Peer, serve
from spacy_pipes import initialize, predict_with


def load(hero: str, precision: str) -> Peer:
    nlp = spacy.blank("en")
    config = hero_config("spacy-hgn.TransformerModel.v1", Path(hero), precision=precision)
    nlp.add_pipe("transformer", config=config)
    tagger = nlp.add_pipe("hgn_ner", config={"model": {"precision": precision}})
    initialize(nlp)
    linear = tagger.model.get_ref("flat").shims[0]._model.classifier

    def prefer_none(bias: float) -> None:
        linear.bias.data[0] = bias

    return Peer(predict_with(nlp), prefer_none)


if __name__ == "__main__":
    serve(load, "spacy-hgn", "spacy", "spacy-transformers", "transformers")
