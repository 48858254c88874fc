"""GLiNER's first architecture: the types are part of the input, and spans are scored."""

import math
import re
from collections.abc import Iterator

import torch
from gliner import GLiNER, GLiNERConfig
from passes import TYPES, Peer, Texts, serve


def load(hero: str, precision: str) -> Peer:
    config = GLiNERConfig(model_name=hero, hidden_size=384)
    model = GLiNER.from_config(config)
    model.data_processor.words_splitter = given_words
    # Untrained scores are so much alike that no threshold, in bfloat16, would part them.
    model.model.prompt_rep_layer[-1].weight.data *= 30
    model.to(getattr(torch, precision))
    threshold = 0.5

    def predict(texts: Texts, batch: int) -> list[int]:
        strings = [" ".join(words) for words in texts]
        found = model.inference(strings, TYPES, threshold=threshold, batch_size=batch)
        return [sum(ent["text"].count(" ") + 1 for ent in entities) for entities in found]

    def prefer_none(bias: float) -> None:
        nonlocal threshold
        threshold = 1 / (1 + math.exp(-bias))

    return Peer(predict, prefer_none)


def given_words(text: str) -> Iterator[tuple[str, int, int]]:
    """The words that everybody is given, where GLiNER would cut a text into more."""
    for word in re.finditer(r"\S+", text):
        yield word.group(), word.start(), word.end()


if __name__ == "__main__":
    serve(load, "gliner", "transformers")
