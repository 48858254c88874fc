"""Load a Hero from the hub or a local folder, and serialize it without pickle."""

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
"""Settings for downloads from the hub, which a trained Hero doesn't need."""

ATTENTIONS = ("eager", "sdpa", "flash_attention_2", "flex_attention")
"""The library's own implementations of attention; other names are code on the hub."""

# XLNet and others state no limit, but were trained on sequences up to this length.
UNSTATED_LIMIT = 512


def load_hero(
    name: str, tokenizer_config: dict[str, Any], transformer_config: dict[str, Any]
) -> HFObjects:
    """Load a pretrained Transformer by its hub name or from a local folder.

    Raises ValueError, with the library's message, if it doesn't exist, and for an unknown setting
    of its configuration.
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
    config.pop("_name_or_path", None)  # may be a folder on the machine that trained it
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
    """Load a Hero from ``hero_to_bytes``, without network and without running its own code.

    tokenizer_config, transformer_config: from the pipeline's config. They override those of the
    training, as in ``spacy.load(path, config={...})``.
    Raises ValueError if it needs its own code, if a file belongs outside its folder, or if its
    weights or configuration don't fit the settings.
    """
    message = srsly.msgpack_loads(data)
    alone = {"local_files_only": True, "trust_remote_code": False}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in message["tokenizer"].items():
            _path_in(folder, name).write_bytes(content)
        # Not with srsly, which turns layer_norm_eps = 1e-12 into 0.0.
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
    """The maximum number of word pieces in a sequence, including special ones."""
    config = hero.transformer.config
    stated = [
        hero.tokenizer.model_max_length,
        getattr(config, "max_position_embeddings", None) or 0,
    ]
    embeddings = getattr(getattr(hero.transformer, "embeddings", None), "position_embeddings", None)
    padding = getattr(embeddings, "padding_idx", None)
    if padding is not None:  # RoBERTa's positions begin after that of the padding
        stated[1] -= padding + 1
    return min((n for n in stated if 0 < n < 1_000_000), default=UNSTATED_LIMIT)


def _prepare(tokenizer: Any, transformer: Any) -> HFObjects:
    if transformer.config.is_encoder_decoder:
        raise ValueError(
            "Expected a Hero that is an encoder, such as BERT, RoBERTa, XLNet or DeBERTa; got "
            f"the encoder-decoder {type(transformer).__name__}."
        )
    if getattr(transformer, "pooler", None) is not None:
        transformer.pooler = None  # unused, and never trained
    transformer.to(get_torch_default_device())
    return HFObjects(tokenizer, transformer, None)


def _change(config: Any, settings: dict[str, Any]) -> None:
    """Apply the pipeline's settings to a stored configuration."""
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
    """The configuration without the implementation of attention, which may be code on the hub."""
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
