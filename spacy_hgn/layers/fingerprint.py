"""By what a Hero is known: a hash of its weights and of its tokenizer's vocabulary."""

import hashlib
from typing import Any

import srsly
import torch
from spacy_transformers.data_classes import HFObjects


def fingerprint(hero: HFObjects) -> str:
    """The same for the same weights and word pieces, on any device and machine.

    A second or two for a Hero of 110 million weights.
    """
    digest = hashlib.blake2b(digest_size=16)
    vocabulary = sorted(hero.tokenizer.get_vocab().items())
    digest.update(srsly.json_dumps(vocabulary).encode())
    for name, weights in sorted(hero.transformer.state_dict().items()):
        digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
        digest.update(_bytes(weights))
    return digest.hexdigest()


def _bytes(weights: torch.Tensor) -> Any:
    return weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
