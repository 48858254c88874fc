"""A Hero's fingerprint: a hash of its weights and of its tokenizer's vocabulary."""

import hashlib
import json
from typing import Any

import srsly
import torch
from spacy_transformers.data_classes import HFObjects

NOT_READING = ("architectures", "dtype", "torch_dtype", "transformers_version")
"""Parts of a configuration on which vectors don't depend. Names that begin with _ are others."""


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


def reading_of(hero: HFObjects) -> str:
    """What else texts' vectors depend on, under the libraries that are installed: how they are
    cut into word pieces, and what is computed from the weights."""
    settings = sorted(hero.transformer.config.to_dict().items())
    config = {k: v for k, v in settings if k not in NOT_READING and not k.startswith("_")}
    # Numbers have ten places: a Hero that was stored has no more of them.
    return srsly.json_dumps([config, _tokenizer(hero.tokenizer)])


def _tokenizer(tokenizer: Any) -> Any:
    if not tokenizer.is_fast:
        return [type(tokenizer).__name__, tokenizer.special_tokens_map]
    whole = json.loads(tokenizer.backend_tokenizer.to_str())
    del whole["padding"], whole["truncation"]  # those of the last call
    return whole


def _bytes(weights: torch.Tensor) -> Any:
    return weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
