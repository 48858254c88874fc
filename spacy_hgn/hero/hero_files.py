"""A Hero from the hub or a local folder, and to and from bytes without pickle."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import srsly
from spacy_transformers.data_classes import HFObjects
from thinc.api import get_torch_default_device
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.modeling_utils import no_init_weights

from ..backend.torch_shim import weights_from_bytes, weights_to_bytes

HUB_SETTINGS = (
    "cache_dir",
    "code_revision",
    "force_download",
    "local_files_only",
    "proxies",
    "resume_download",
    "revision",
    "subfolder",
    "token",
    "trust_remote_code",
    "use_auth_token",
)
"""How a Hero is got from the hub. A trained one comes from its own files."""

ATTENTIONS = ("eager", "sdpa", "flash_attention_2", "flex_attention")
"""Implementations of the attention in the library itself; other names are code on the hub."""

# XLNet and others state no limit; the lengths that they were trained on end here.
UNSTATED_LIMIT = 512


def load_hero(
    name: str, tokenizer_config: dict[str, Any], transformer_config: dict[str, Any]
) -> HFObjects:
    """Load a pretrained Transformer by its hub name or from a local folder.

    Raises ValueError, with the library's own words, where there is none by that name, and for a
    setting that its configuration doesn't have.
    """
    try:
        settings = {**transformer_config, "return_dict": True, "return_unused_kwargs": True}
        config, unknown = AutoConfig.from_pretrained(name, **settings)
        tokenizer = AutoTokenizer.from_pretrained(name, **tokenizer_config)
        transformer = AutoModel.from_pretrained(name, config=config)
    except (OSError, ValueError, ImportError) as error:
        raise ValueError(
            f"Can't load the Hero {name!r}. Expected the name of a model on the Hugging Face "
            f"hub, or a local folder with config.json, tokenizer and weights. {error}"
        ) from error
    _require_known(unknown, config)
    return _prepare(tokenizer, transformer)


def hero_to_bytes(hero: HFObjects) -> bytes:
    """Configuration, tokenizer files and weights (safetensors) of a Hero."""
    config = hero.transformer.config.to_dict()
    config.pop("_name_or_path", None)  # a folder on the machine that trained it
    message = {
        "config": config,
        "tokenizer": _tokenizer_files(hero.tokenizer),
        "use_fast": hero.tokenizer.is_fast,
        "weights": weights_to_bytes(hero.transformer),
    }
    return srsly.msgpack_dumps(message)


def hero_from_bytes(
    data: bytes, tokenizer_config: dict[str, Any] = {}, transformer_config: dict[str, Any] = {}
) -> HFObjects:
    """Rebuild a Hero from ``hero_to_bytes``, asking no network and running no code of its own.

    tokenizer_config, transformer_config: of the pipeline's config. They hold also where they aren't
    those of the training, as in ``spacy.load(path, config={...})``.
    Raises ValueError where it needs such code, has a file that belongs elsewhere, or where
    its weights or its configuration can't be as the settings say.
    """
    message = srsly.msgpack_loads(data)
    alone = {"local_files_only": True, "trust_remote_code": False}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in message["tokenizer"].items():
            _path_in(folder, name).write_bytes(content)
        # Not by srsly: it makes 0.0 of layer_norm_eps = 1e-12.
        settings = json.dumps(_without_kernels(message["config"]))
        (Path(folder) / "config.json").write_text(settings, encoding="utf8")
        config = AutoConfig.from_pretrained(folder, **alone)
        _change(config, _without_hub(transformer_config))
        of_tokenizer = {"use_fast": message["use_fast"], **_without_hub(tokenizer_config), **alone}
        tokenizer = AutoTokenizer.from_pretrained(folder, **of_tokenizer)
    with no_init_weights():
        transformer = AutoModel.from_config(config, trust_remote_code=False)
    hero = _prepare(tokenizer, transformer)
    weights_from_bytes(hero.transformer, message["weights"], "Hero")
    return hero


def piece_limit(hero: HFObjects) -> int:
    """How many word pieces, special ones included, the Hero can hold in one sequence."""
    config = hero.transformer.config
    stated = [
        hero.tokenizer.model_max_length,
        getattr(config, "max_position_embeddings", None) or 0,
    ]
    embeddings = getattr(getattr(hero.transformer, "embeddings", None), "position_embeddings", None)
    padding = getattr(embeddings, "padding_idx", None)
    if padding is not None:  # RoBERTa's positions begin behind the padding's
        stated[1] -= padding + 1
    return min((n for n in stated if 0 < n < 1_000_000), default=UNSTATED_LIMIT)


def _prepare(tokenizer: Any, transformer: Any) -> HFObjects:
    if transformer.config.is_encoder_decoder:
        raise ValueError(
            "Expected a Hero that is an encoder, such as BERT, RoBERTa, XLNet or DeBERTa; got "
            f"the encoder-decoder {type(transformer).__name__}."
        )
    if getattr(transformer, "pooler", None) is not None:
        transformer.pooler = None  # nothing reads it, and it would never be trained
    transformer.to(get_torch_default_device())
    return HFObjects(tokenizer, transformer, None)


def _change(config: Any, settings: dict[str, Any]) -> None:
    """Give a stored configuration the pipeline's settings."""
    settings = dict(settings)
    attention = settings.pop("attn_implementation", None)
    if attention not in (None, *ATTENTIONS):
        raise ValueError(
            "transformer_config: expected an attn_implementation of "
            f"{', '.join(ATTENTIONS)} in a trained pipeline, got {attention!r}."
        )
    _require_known((name for name in settings if not hasattr(config, name)), config)
    if attention is not None:
        config._attn_implementation = attention
    for name, value in settings.items():
        setattr(config, name, value)


def _require_known(unknown: Iterable[str], config: Any) -> None:
    if names := sorted(unknown):
        raise ValueError(
            f"transformer_config: {type(config).__name__} has no {', '.join(names)}. Expected "
            "settings of the Hero's configuration, such as output_attentions."
        )


def _without_hub(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in HUB_SETTINGS}


def _path_in(folder: str, name: str) -> Path:
    path = Path(folder, name).resolve()
    if path.parent != Path(folder).resolve():
        raise ValueError(f"A Hero's tokenizer has a file {name!r}: expected a name without folder.")
    return path


def _without_kernels(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without the attention's implementation, which may name code on the hub."""
    return {
        name: _without_kernels(value) if isinstance(value, dict) else value
        for name, value in config.items()
        if "attn_implementation" not in str(name)
    }


def _tokenizer_files(tokenizer: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
        return {path.name: path.read_bytes() for path in paths}
