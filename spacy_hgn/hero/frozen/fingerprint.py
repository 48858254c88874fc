"""A Hero's fingerprint: a hash of its weights and of its tokenizer's vocabulary."""

import hashlib
import json
from typing import Any

import srsly
import torch
from spacy_transformers.data_classes import HFObjects

NOT_READING = ("architectures", "dtype", "torch_dtype", "transformers_version")
"""Parts of a configuration that don't affect vectors, besides names that begin with _."""


def fingerprint(hero: HFObjects) -> str:
    """A hash of weights and word pieces, the same on any device and machine.

    It takes a second or two for a Hero with 110 million weights.
    """
    digest = hashlib.blake2b(digest_size=16)
    vocabulary = sorted(hero.tokenizer.get_vocab().items())
    digest.update(srsly.json_dumps(vocabulary).encode())
    for name, weights in sorted(hero.transformer.state_dict().items()):
        digest.update(f"{name} {weights.dtype} {tuple(weights.shape)}".encode())
        digest.update(_bytes(weights))
    return digest.hexdigest()


def reading_of(hero: HFObjects) -> str:
    """Everything else that affects vectors, apart from installed libraries: the tokenizer and the
    configuration."""
    settings = sorted(hero.transformer.config.to_dict().items())
    config = {k: v for k, v in settings if k not in NOT_READING and not k.startswith("_")}
    # Numbers have ten digits, because a stored Hero has no more.
    return srsly.json_dumps([config, _tokenizer(hero.tokenizer)])


def _tokenizer(tokenizer: Any) -> Any:
    if not tokenizer.is_fast:
        return [type(tokenizer).__name__, tokenizer.special_tokens_map]
    whole = json.loads(tokenizer.backend_tokenizer.to_str())
    del whole["padding"], whole["truncation"]  # they depend on the last call
    return whole


def _bytes(weights: torch.Tensor) -> Any:
    return weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
