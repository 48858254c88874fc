"""flair's SequenceTagger over TransformerWordEmbeddings, as flair fine-tunes Transformers."""

import flair
import torch
from flair.data import Dictionary, Sentence
from flair.embeddings import TransformerWordEmbeddings
from flair.models import SequenceTagger
from passes import TYPES, Peer, Texts, serve


def load(hero: str, precision: str) -> Peer:
    flair.device = torch.device("cpu")
    types = Dictionary(add_unk=False)
    types.span_labels = True
    for label in TYPES:
        types.add_item(label)
    tagger = SequenceTagger(
        embeddings=TransformerWordEmbeddings(hero, layers="-1", subtoken_pooling="first"),
        tag_dictionary=types,
        tag_type="ner",
        tag_format="BIO",
        use_crf=False,
        use_rnn=False,
        reproject_embeddings=False,
    ).eval()
    outside = tagger.label_dictionary.get_idx_for_item("O")

    def predict(texts: Texts, batch: int) -> list[int]:
        sentences = [Sentence(words) for words in texts]
        tagger.predict(sentences, mini_batch_size=batch)
        return [sum(map(len, sentence.get_spans("ner"))) for sentence in sentences]

    def prefer_none(bias: float) -> None:
        tagger.linear.bias.data[outside] = bias

    return Peer(predict, prefer_none)


if __name__ == "__main__":
    serve(load, "flair", "transformers")
