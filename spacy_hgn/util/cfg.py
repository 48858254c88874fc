"""The component's ``cfg``: JSON with a checksum in it, so that damaged files are refused."""

import hashlib
import json  # and not srsly, which may change the last digits of floats
from typing import Any

FORMAT = 1
"""What the settings mean; a new number tells older releases that they can't read them."""


def cfg_to_bytes(cfg: dict[str, Any]) -> bytes:
    """Write settings, the number of their format, and the checksum of both."""
    stored = {"format": FORMAT, **cfg}
    return json.dumps({**stored, "sha256": _digest(stored)}, indent=2).encode("utf8")


def cfg_from_bytes(data: bytes, where: str) -> dict[str, Any]:
    """Read settings that ``cfg_to_bytes`` wrote. where: names the file in errors.

    Raises ValueError for what isn't such settings, was cut short, or was changed, or was
    written by a newer release.
    """
    try:
        cfg = json.loads(data.decode("utf8"))
        stored = cfg.pop("sha256")
        found = _digest(cfg)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"Can't read the labels in {where}: {error!r}") from error
    if stored != found:
        raise ValueError(
            f"The labels in {where} are damaged: their checksum doesn't match. "
            "Copy the pipeline again."
        )
    format = cfg.pop("format", FORMAT)  # early ones have no number
    if format != FORMAT:
        raise ValueError(
            f"The labels in {where} are in format {format!r}, and this spacy-hgn reads format "
            f"{FORMAT}: a newer release wrote them. Update spacy-hgn."
        )
    return cfg


def _digest(cfg: dict[str, Any]) -> str:
    text = json.dumps(cfg, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf8")).hexdigest()
